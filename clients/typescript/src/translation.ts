/**
 * Sorts the SDK's errors into the tree of `errors` (`object_store/translation.py`).
 *
 * The server's S3 error code decides; the HTTP status only if a code is not known here. Of the raw text only the code and
 * the server's own message pass, without secrets: the rest may hold URLs, headers and signed data.
 */

import * as errors from "./errors.js";

/** The subject of an operation, and the secrets that its messages must not hold. */
export interface Place {
  readonly server: string;
  readonly isAws: boolean;
  readonly isPlain: boolean;
  readonly bucket: string;
  readonly key: string | undefined;
  readonly secrets: readonly string[];
}

type Kind = new (reason: string, where?: errors.Where) => errors.ObjectStoreError;

const CODES = new Map<string, Kind>(
  (
    [
      [errors.NotFound, "NoSuchKey NoSuchVersion"],
      [errors.BucketNotFound, "NoSuchBucket"],
      [errors.AccessDenied, "AccessDenied AllAccessDisabled AccountProblem"],
      [
        errors.BadCredentials,
        "InvalidAccessKeyId SignatureDoesNotMatch ExpiredToken InvalidToken InvalidSecurity NotSignedUp " +
          "InvalidClientTokenId TokenRefreshRequired XAdminUserNotFound",
      ],
      [errors.ClockSkew, "RequestTimeTooSkewed"],
      [
        errors.WrongRegion,
        "AuthorizationHeaderMalformed PermanentRedirect TemporaryRedirect IllegalLocationConstraintException InvalidRegion",
      ],
      [
        errors.Unavailable,
        "SlowDown SlowDownRead SlowDownWrite ServiceUnavailable InternalError ServerBusy RequestTimeout " +
          "XMinioServerNotInitialized",
      ],
      [errors.QuotaExceeded, "QuotaExceeded XMinioAdminBucketQuotaExceeded XMinioStorageFull"],
      [errors.InvalidKey, "KeyTooLongError XMinioInvalidObjectName"],
      [errors.InvalidBucketName, "InvalidBucketName"],
    ] as const
  ).flatMap(([kind, codes]) => codes.split(" ").map((code) => [code, kind] as const)),
);
const LOCAL = new Set(["EMFILE", "ENFILE", "ENOMEM", "ENOBUFS", "ENOSPC", "EADDRNOTAVAIL", "EACCES"]);
const CERTIFICATE = /CERT|SELF_SIGNED|UNABLE_TO_(GET|VERIFY)|ALTNAME|ISSUER/;
const LOCKED = /WORM protected|protected by object lock/i;
const TLS_PORT = /HTTPS (?:server|port)|only speaks HTTPS|SSL-enabled|requires TLS/i;
const SIGNED = /(X-Amz-(?:Signature|Credential|Security-Token)=)[^&\s"'<>]+/gi;
const LOST = "the connection was lost before the answer was complete";

/** Any value as one of our errors; one of ours stays as it is. */
export function translated(raw: unknown, place: Place): errors.ObjectStoreError {
  if (raw instanceof errors.ObjectStoreError) return raw;
  const fault = raw as {
    name?: string;
    message?: string;
    code?: string;
    Code?: string;
    cause?: { code?: string };
    $metadata?: { httpStatusCode?: number };
    $response?: { statusCode?: number; headers?: Record<string, string>; body?: unknown };
  };
  const status = fault.$response?.statusCode ?? fault.$metadata?.httpStatusCode;
  if (status !== undefined) return refused(fault, status, place);
  const where = { bucket: place.bucket, key: place.key };
  const code = fault.code ?? fault.cause?.code ?? "";
  if (LOCAL.has(code)) return new errors.LocalFault(`this machine cannot do it: ${code}`, where);
  if (CERTIFICATE.test(code)) {
    return new errors.CertificateNotTrusted(`the TLS certificate of ${place.server} is not trusted: ${code}`, where);
  }
  if (code.startsWith("HPE_")) {
    return new errors.UnexpectedAnswer(`the answer of ${place.server} is not understood (${code})`, where);
  }
  return new errors.EndpointUnreachable(`${place.server} cannot be reached: ${reasonOf(code, fault.name, place)}`, where);
}

function reasonOf(code: string, name: string | undefined, place: Place): string {
  if (["ECONNREFUSED", "ENOTFOUND", "EAI_AGAIN"].includes(code)) return "nothing listens there, or its name does not resolve";
  if (["ENETUNREACH", "EHOSTUNREACH", "ENETDOWN"].includes(code)) return "no network leads there from this machine";
  if (name === "TimeoutError" || code === "ETIMEDOUT") return "no answer in time";
  if (code === "EPROTO" || code.startsWith("ERR_SSL")) return "the server there does not speak TLS; is it an http:// endpoint?";
  return place.isPlain ? `${LOST}; if the server speaks TLS, the endpoint must begin with https://` : LOST;
}

function refused(
  fault: { name?: string; message?: string; Code?: string; $response?: { headers?: Record<string, string> } },
  status: number,
  place: Place,
): errors.ObjectStoreError {
  const code = codeOf(fault);
  const message = withoutSecrets(fault.message ?? "", place.secrets);
  if (code === undefined) return withoutCode(status, fault, place);
  let kind = CODES.get(code) ?? byStatus(status);
  let reason = message === "" || message === code ? `the server answered ${status}` : message;
  if (LOCKED.test(message)) {
    kind = errors.ObjectLocked;
    reason = `the object is kept until its retention or legal hold ends: ${message}`;
  } else if (kind === errors.AccessDenied && place.isAws) {
    reason += "; or no such object: AWS tells only those who may list the bucket";
  }
  return new kind(reason, { bucket: place.bucket, key: place.key, code: withoutSecrets(code, place.secrets), status });
}

/** The server's code; the SDK names an error without one by its status, `NotFound`, or `UnknownError`. */
function codeOf(fault: { name?: string; Code?: string }): string | undefined {
  const name = fault.Code ?? fault.name;
  const isOwn = name === undefined || /^(Unknown\w*|NotFound|[0-9]{3}|\w*Error|S3ServiceException)$/.test(name);
  return isOwn && !CODES.has(name ?? "") ? undefined : name;
}

function byStatus(status: number): Kind {
  const found = new Map<number, Kind>([
    [401, errors.BadCredentials],
    [403, errors.AccessDenied],
    [404, errors.NotFound],
    [429, errors.Unavailable],
  ]).get(status);
  return found ?? (status >= 500 ? errors.Unavailable : errors.RequestRefused);
}

function withoutCode(
  status: number,
  fault: { message?: string; $response?: { headers?: Record<string, string> } },
  place: Place,
): errors.ObjectStoreError {
  const where = { bucket: place.bucket, key: place.key, status };
  if (status === 407) {
    return new errors.EndpointUnreachable("the proxy wants a user and a password, or others than these", where);
  }
  if (status === 400 && place.isPlain && TLS_PORT.test(fault.message ?? "")) {
    return new errors.EndpointUnreachable(
      `${place.server} cannot be reached: the server there does not speak plain HTTP; is it an https:// endpoint?`,
      where,
    );
  }
  const kind = status >= 500 || status === 429 ? errors.Unavailable : errors.UnexpectedAnswer;
  const location = fault.$response?.headers?.["location"];
  const leads = location === undefined ? "" : `, a redirect to ${withoutSecrets(location, place.secrets)},`;
  return new kind(`${place.server} answered ${status}${leads} without an S3 error`, where);
}

/** A server's text as one line, without secrets and of limited length. */
export function withoutSecrets(text: string, secrets: readonly string[]): string {
  let found = text;
  for (const secret of secrets) {
    for (const form of new Set([secret, encodeURIComponent(secret), encodeURI(secret)])) {
      found = found.replaceAll(form, "***");
    }
  }
  return found.replace(SIGNED, "$1***").split(/\s+/).join(" ").trim().slice(0, 300);
}
