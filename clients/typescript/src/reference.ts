/**
 * `ObjectRef`: what an event carries instead of a path or a body (`schemas/object-ref.schema.json`).
 *
 * The rule: exactly five names, in this order, so that both languages write the same bytes.
 */

import { InvalidReference } from "./errors.js";

/** One object, as it was when stored, read or listed. */
export interface ObjectRef {
  readonly bucket: string;
  /** The whole key, unescaped. */
  readonly key: string;
  /** The server's entity tag, without quotes. Compare it, never compute it. */
  readonly etag: string;
  /** Length of the body in bytes. */
  readonly size: number;
  /** Null if it is unknown, as in a listing. */
  readonly contentType: string | null;
}

const NAMES = ["bucket", "key", "etag", "size", "contentType"] as const;
/** The characters of an etag that a header can hold. */
export const ETAG = /^[!#-~]+$/;
const LEGAL = "bucket, key, etag, size and contentType, as in schemas/object-ref.schema.json";

/**
 * Read a reference, as JSON text or already parsed.
 *
 * Throws InvalidReference: a field is missing, unknown or has the wrong type, or it is not JSON. The value is not shown.
 */
export function parseReference(content: unknown): ObjectRef {
  let given = content;
  if (typeof content === "string") {
    try {
      given = JSON.parse(content);
    } catch {
      throw new InvalidReference(`not a reference: it is not JSON; legal: ${LEGAL}`);
    }
  }
  const faults = faultsOf(given);
  if (faults.length > 0) throw new InvalidReference(`not a reference: ${faults.join("; ")}; legal: ${LEGAL}`);
  const fields = given as ObjectRef;
  return reference(fields.bucket, fields.key, fields.etag, fields.size, fields.contentType ?? null);
}

/** Make a reference, its names in their order. */
export function reference(
  bucket: string,
  key: string,
  etag: string,
  size: number,
  contentType: string | null,
): ObjectRef {
  return { bucket, key, etag, size, contentType };
}

function faultsOf(given: unknown): string[] {
  if (typeof given !== "object" || given === null || Array.isArray(given)) return ["it is not an object"];
  const fields = given as Record<string, unknown>;
  const faults = Object.keys(fields)
    .filter((name) => !NAMES.includes(name as (typeof NAMES)[number]))
    .map((name) => `${name.slice(0, 100)}: no such field`);
  for (const name of ["bucket", "key", "etag"] as const) {
    const value = fields[name];
    if (typeof value !== "string" || value === "") faults.push(`${name}: not a text of at least one character`);
  }
  if (typeof fields["etag"] === "string" && !ETAG.test(fields["etag"])) faults.push("etag: no server sends it");
  if (!Number.isSafeInteger(fields["size"]) || (fields["size"] as number) < 0) faults.push("size: not a length");
  const type = fields["contentType"] ?? null;
  if (type !== null && (typeof type !== "string" || type === "")) faults.push("contentType: not a content type");
  return faults;
}
