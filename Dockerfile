# The image that `object-store verify-job` runs: the verification suite and what it imports, without Pulumi.
# Build it from this folder: docker build --tag IMAGE . (for both kinds of node: --platform linux/amd64,linux/arm64)
FROM python:3.12-slim

ENV PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
WORKDIR /app

COPY requirements-verify.txt ./
# Wheels only: nothing that is downloaded runs while the image is built. The lock is taken as it is, and nothing is
# resolved, so that no release of a package after it matters; `pip check` says whether one is missing.
RUN pip install --no-cache-dir --disable-pip-version-check --root-user-action=ignore --no-deps \
    --only-binary :all: --require-hashes --requirement requirements-verify.txt \
    && pip --disable-pip-version-check check

# Whatever umask the checkout was made with, the user below may read it; nobody but root may write it.
COPY --chmod=755 model ./model
COPY --chmod=755 object_store ./object_store
COPY --chmod=755 stack ./stack
COPY --chmod=755 verify ./verify

USER 1000:1000
ENTRYPOINT ["python", "-m", "verify"]
