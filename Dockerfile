# The image that `object-store verify-job` runs: the verification suite and the packages that it needs, without Pulumi.
# Build it from this folder: docker build --build-arg PYTHON_DIGEST=sha256:… --tag IMAGE . (docs/verification.md)
# A tag can be moved to other contents, and this image gets every identity's key. The digest has no default: it is to be
# looked up, and without it the build ends at once.
ARG PYTHON_DIGEST
FROM python:3.12-slim@${PYTHON_DIGEST}

ENV PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
WORKDIR /app

COPY requirements-verify.txt ./
# Wheels only: no downloaded code runs during the build of the image. pip installs exactly the lock and resolves
# nothing, so a later release of a package does not matter; `pip check` reports a missing package.
RUN pip install --no-cache-dir --disable-pip-version-check --root-user-action=ignore --no-deps \
    --only-binary :all: --require-hashes --requirement requirements-verify.txt \
    && pip --disable-pip-version-check check

# The user below can read these files under every umask of the checkout; only root can write them.
COPY --chmod=755 model ./model
COPY --chmod=755 object_store ./object_store
COPY --chmod=755 stack ./stack
COPY --chmod=755 verify ./verify

USER 1000:1000
ENTRYPOINT ["python", "-m", "verify"]
