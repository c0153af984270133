/**
 * What an answer says: reference, metadata, and whether it is what was requested (`object_store/answers.py`).
 */

import { createHash } from "node:crypto";

import { CorruptBody, StaleReference, UnexpectedAnswer, shown } from "./errors.js";
import type { Named } from "./proof.js";
import { ETAG, reference, type ObjectRef } from "./reference.js";

/** The fields of an answer to GET, HEAD, or a put that are read. */
export interface Answer {
  readonly $metadata: { readonly httpStatusCode?: number | undefined };
  readonly ETag?: string | undefined;
  readonly ContentLength?: number | undefined;
  readonly ContentType?: string | undefined;
  readonly LastModified?: Date | undefined;
  readonly Metadata?: Record<string, string> | undefined;
  readonly ChecksumSHA256?: string | undefined;
  readonly ChecksumSHA1?: string | undefined;
  readonly ChecksumCRC32?: string | undefined;
  readonly ServerSideEncryption?: string | undefined;
  readonly SSECustomerAlgorithm?: string | undefined;
}

/** Reference, metadata and digests of an object. */
export interface Facts {
  readonly ref: ObjectRef;
  readonly metadata: Readonly<Record<string, string>>;
  readonly named: Named;
}

/** Read an answer to GET or HEAD. Throws StaleReference for another etag than asked for, and UnexpectedAnswer. */
export function factsOf(bucket: string, key: string, answer: Answer, etag?: string): Facts {
  const where = { bucket, key };
  const found = bareEtag(answer.ETag, bucket, key);
  const { ContentLength: size } = answer;
  if (size === undefined || !Number.isSafeInteger(size) || size < 0) {
    throw new UnexpectedAnswer("the answer has no usable Content-Length", where);
  }
  const status = answer.$metadata.httpStatusCode;
  if (status !== 200) {
    throw new UnexpectedAnswer(`the answer is ${String(status)}, not 200 as for a whole body`, where);
  }
  if (etag !== undefined && found !== etag) {
    throw new StaleReference(`the object does not have etag ${shown(etag)}; its etag is ${shown(found)}`, where);
  }
  return {
    ref: reference(bucket, key, found, size, answer.ContentType || null),
    metadata: answer.Metadata ?? {},
    named: {
      etag: found,
      size,
      sha256: answer.ChecksumSHA256,
      sha1: answer.ChecksumSHA1,
      crc32: answer.ChecksumCRC32,
      hasOwnKey: hasOwnKey(answer),
    },
  };
}

/** The etag of a stored body or part. Throws UnexpectedAnswer, or CorruptBody if the server names another digest. */
export function checkAcknowledged(
  answer: Answer,
  digest: Buffer,
  body: Uint8Array,
  bucket: string,
  key: string,
): string {
  const where = { bucket, key };
  const status = answer.$metadata.httpStatusCode;
  if (status !== 200) throw new UnexpectedAnswer(`the answer is ${String(status)}, not 200 as for a put`, where);
  const etag = bareEtag(answer.ETag, bucket, key);
  const named = answer.ChecksumSHA256;
  if (named !== undefined && named !== digest.toString("base64")) {
    throw new CorruptBody("the answer names another SHA-256 than that of the body", where);
  }
  const isMd5 = named === undefined && !hasOwnKey(answer) && /^[0-9a-f]{32}$/.test(etag);
  if (isMd5 && etag !== createHash("md5").update(body).digest("hex")) {
    throw new CorruptBody("the answer names another MD5 than that of the body", where);
  }
  return etag;
}

/** An etag without its quotes. Throws UnexpectedAnswer if it is missing. */
export function bareEtag(etag: string | undefined, bucket: string, key: string): string {
  const bare = (etag ?? "").replace(/^W\//, "").replace(/^"+|"+$/g, "");
  if (!ETAG.test(bare)) throw new UnexpectedAnswer("the answer has no usable ETag", { bucket, key });
  return bare;
}

/** A key of a listing as its writer gave it. */
export function listedKey(key: string | undefined, encoding: string | undefined): string | undefined {
  if (key === undefined || encoding !== "url") return key;
  try {
    return decodeURIComponent(key.replaceAll("+", " "));
  } catch {
    return undefined;
  }
}

function hasOwnKey(answer: Answer): boolean {
  return (
    !["", "AES256"].includes(answer.ServerSideEncryption ?? "") || answer.SSECustomerAlgorithm !== undefined
  );
}
