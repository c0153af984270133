/**
 * Which bucket names, keys and prefixes are accepted: the rule of the Python adapter (`object_store/keys.py`).
 *
 * Every S3 server returns a key exactly as given, or it is refused here, before anything is sent.
 */

import { InvalidBucketName, InvalidKey, shown } from "./errors.js";

export const MAX_KEY_BYTES = 1024;
/** Where the verification suite puts its own objects, which are removed after a day. */
export const PROBE_PREFIX = ".verify/";

const BUCKET = /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/;
const ADDRESS = /^[0-9]+(\.[0-9]+){3}$/;
const CONTROL = /[\u0000-\u001f\u007f]/;
const LEGAL =
  `legal: 1 to ${MAX_KEY_BYTES} bytes of UTF-8, segments separated by single slashes, none of them empty, '.' or '..', ` +
  "no backslash, no control characters";

/** Throw InvalidBucketName for a name that an S3 bucket cannot have. */
export function checkBucket(bucket: string): void {
  if (typeof bucket !== "string" || !BUCKET.test(bucket) || bucket.includes("..") || ADDRESS.test(bucket)) {
    throw new InvalidBucketName(
      `${shown(bucket)} is not a valid bucket name; legal: 3 to 63 of a-z, 0-9, '-' and '.', ` +
        "with a letter or digit first and last, without '..', and no IP address",
    );
  }
}

/** Throw InvalidKey for a key that would not come back as given. */
export function checkKey(bucket: string, key: string): void {
  const fault = faultOfKey(key);
  if (fault !== undefined) {
    throw new InvalidKey(`the key ${fault}; ${LEGAL}`, { bucket, key: String(key).slice(0, MAX_KEY_BYTES) });
  }
}

/** Throw InvalidKey also for a key of the verification suite. */
export function checkKeyOfPut(bucket: string, key: string): void {
  checkKey(bucket, key);
  if (key.startsWith(PROBE_PREFIX)) {
    throw new InvalidKey(
      `the key is under ${PROBE_PREFIX}, where only \`object-store verify\` puts objects, which expire after a day; ` +
        "legal: another first segment",
      { bucket, key },
    );
  }
}

/** Throw InvalidKey for the beginning of a key that no key has. */
export function checkPrefix(bucket: string, prefix: string): void {
  const fault = prefix === "" ? undefined : faultOfText(prefix);
  if (fault !== undefined) {
    throw new InvalidKey(`the prefix ${fault}; legal: at most ${MAX_KEY_BYTES} bytes of UTF-8`, { bucket });
  }
}

function faultOfText(value: unknown): string | undefined {
  if (typeof value !== "string") return `is ${value === null ? "null" : typeof value}, not a string`;
  if (value === "") return "is empty";
  if (/\p{Surrogate}/u.test(value)) return "holds a lone surrogate, which is not UTF-8";
  const size = Buffer.byteLength(value);
  return size > MAX_KEY_BYTES ? `has ${size} bytes` : undefined;
}

function faultOfKey(key: string): string | undefined {
  const fault = faultOfText(key);
  if (fault !== undefined) return fault;
  if (CONTROL.test(key)) return "holds a control character";
  if (key.startsWith("/") || key.endsWith("/")) return "begins or ends with a slash";
  if (key.includes("//")) return "has an empty segment ('//')";
  if (key.split("/").some((part) => [".", ".."].includes(part.trim()))) return "has a segment '.' or '..'";
  return key.includes("\\") ? "holds a backslash, which some servers take for a slash" : undefined;
}
