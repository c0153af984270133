/**
 * The errors: the names and the tree of the Python adapter (`object_store/errors.py`), as far as this package raises
 * them.
 *
 * A message names bucket and key, says what is wrong and what to do. It never holds a secret, a signed URL, or unchecked
 * text of a server's answer.
 */

/** Where a fault belongs, and what the server said of it. */
export interface Where {
  bucket?: string | undefined;
  key?: string | undefined;
  code?: string | undefined;
  status?: number | undefined;
}

/** An operation that failed. */
export class ObjectStoreError extends Error {
  /** What is wrong, without bucket and key. */
  readonly reason: string;
  readonly bucket: string | undefined;
  readonly key: string | undefined;
  /** The S3 error code as the server sent it. */
  readonly code: string | undefined;
  /** The HTTP status of the answer. */
  readonly status: number | undefined;

  constructor(reason: string, where: Where = {}) {
    super();
    this.reason = reason;
    this.bucket = where.bucket;
    this.key = where.key;
    this.code = where.code;
    this.status = where.status;
    this.name = new.target.name;
    const places = [
      ...(where.bucket === undefined ? [] : [`bucket ${shown(where.bucket)}`]),
      ...(where.key === undefined ? [] : [`key ${shown(where.key)}`]),
    ];
    const place = places.length === 0 ? "" : `${places.join(", ")}: `;
    const code = where.code === undefined || reason.includes(where.code) ? "" : ` (${where.code})`;
    const text = `${place}${reason}${code}`.replace(/\.+$/, "");
    this.message = printable(`${text}. ${this.remedy}`.trimEnd());
  }

  /** What to do about it. */
  get remedy(): string {
    return "";
  }
}

/** A setting is missing or cannot work; the message names the variable, the legal values and the line to set. */
export class ConfigurationError extends ObjectStoreError {}

/** An argument was refused before anything was sent. */
export class InvalidArgument extends ObjectStoreError {}

/** A name that an S3 bucket cannot have. */
export class InvalidBucketName extends InvalidArgument {}

/** A key that not every S3 server stores as given, or that the server refused. */
export class InvalidKey extends InvalidArgument {}

/** A lifetime of a presigned URL that is not between 1 second and 7 days. */
export class InvalidExpiry extends InvalidArgument {}

/** Not a media type such as `text/plain`. */
export class InvalidContentType extends InvalidArgument {}

/** Metadata that not every S3 server returns unchanged. */
export class InvalidMetadata extends InvalidArgument {}

/** Not the JSON of a reference. */
export class InvalidReference extends InvalidArgument {}

/** A body from which bytes cannot be read. */
export class InvalidBody extends InvalidArgument {}

/** The object does not exist. */
export class NotFound extends ObjectStoreError {}

/** The bucket does not exist. */
export class BucketNotFound extends NotFound {
  override get remedy(): string {
    return "Check the name and its environment; the deployment creates buckets, the adapter never does.";
  }
}

/** `ifAbsent` was given, or holds in this bucket, and the object exists. */
export class AlreadyExists extends ObjectStoreError {}

/** The object is not the one that the reference was made from. */
export class StaleReference extends ObjectStoreError {
  override get remedy(): string {
    return "The object was replaced or removed after the reference was made.";
  }
}

/** The body does not have the announced length. */
export class IncompleteTransfer extends ObjectStoreError {}

/** The body is not the one that the server's own digest names. */
export class CorruptBody extends ObjectStoreError {}

/** Nothing proves the body, and the settings demand a proof. */
export class UnverifiedBody extends ObjectStoreError {}

/** This machine failed, not the server. */
export class LocalFault extends ObjectStoreError {}

/** A file or folder that cannot be read or written. */
export class LocalFileError extends LocalFault {}

/** The server accepts the credential, but its identity may not do this. */
export class AccessDenied extends ObjectStoreError {
  override get remedy(): string {
    return "The identity behind AWS_ACCESS_KEY_ID has no grant for this: use one that has it, or add the grant and deploy.";
  }
}

/** The bucket's object lock keeps the object that is there. */
export class ObjectLocked extends AccessDenied {
  override get remedy(): string {
    return "Store it under another key, or wait until then; a legal hold lasts until someone lifts it.";
  }
}

/** The server does not know the access key, or the secret key does not match it. */
export class BadCredentials extends ObjectStoreError {
  override get remedy(): string {
    return (
      "Check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (and AWS_SESSION_TOKEN, if the key is a temporary one) " +
      "against what the deployment published; they may have been rotated."
    );
  }
}

/** This machine's clock and the server's differ by more than signatures allow (15 minutes). */
export class ClockSkew extends ObjectStoreError {
  override get remedy(): string {
    return "Set this machine's clock (NTP), or the server's.";
  }
}

/** The request was signed for a region other than that of the server or the bucket. */
export class WrongRegion extends ObjectStoreError {
  override get remedy(): string {
    return "Set AWS_REGION to the region that the deployment published.";
  }
}

/** The endpoint could not be reached, or the connection was lost. */
export class EndpointUnreachable extends ObjectStoreError {
  override get remedy(): string {
    return "Check S3_ENDPOINT, and that the server is running and reachable from this machine.";
  }
}

/** The endpoint's TLS certificate is not trusted. */
export class CertificateNotTrusted extends EndpointUnreachable {
  override get remedy(): string {
    return (
      "Set S3_CA_BUNDLE to a PEM file with the CA that signed it (AWS_CA_BUNDLE if S3_ENDPOINT is not set), " +
      "and check that the certificate holds the host name of S3_ENDPOINT."
    );
  }
}

/** The server answered that it cannot serve the request now, even after the retries. */
export class Unavailable extends ObjectStoreError {
  override get remedy(): string {
    return "Try again later, with fewer requests at the same time.";
  }
}

/** The bucket's quota, or the server's disk, is used up. */
export class QuotaExceeded extends ObjectStoreError {
  override get remedy(): string {
    return "Free space or raise the quota; nothing was stored.";
  }
}

/** The server refused the request for a reason that has no class here; see `code`. */
export class RequestRefused extends ObjectStoreError {}

/** Something answered, but not as an S3 server does. */
export class UnexpectedAnswer extends ObjectStoreError {
  override get remedy(): string {
    return "Check that S3_ENDPOINT is the S3 API of the server (not its console, and not a page of a proxy).";
  }
}

/** A value in quotes, of limited length. */
export function shown(value: unknown): string {
  return typeof value === "string" ? JSON.stringify(value.slice(0, 1024)) : typeof value;
}

/** A text without what a terminal obeys. */
function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu, (one) =>
    one === "\n" ? one : `\\u${one.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}
