/**
 * Whether a body is the one that was stored: its digest, and what the answer says of it (`object_store/proof.py`).
 *
 * The rule: a body passes as proven only if a digest of the server's own was computed again from what arrived. A SHA-256
 * or CRC32 that does not fit is a fault, and so is an MD5 that does not fit an etag in the form of one; an etag of parts
 * that does not fit proves nothing, because the parts may have had another size.
 *
 * Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html
 */

import { createHash, webcrypto, type Hash } from "node:crypto";
import { crc32 } from "node:zlib";

import { PART_SIZE } from "./body.js";
import { CorruptBody } from "./errors.js";

type Kind = "sha256" | "sha1" | "crc32" | "md5";

/** A digest that a server named; with `parts`, it is made of the digests of that many parts. */
export interface Expected {
  readonly kind: Kind;
  readonly digest: Buffer;
  readonly parts: number | undefined;
  /** Whether another digest is a fault: an etag can be something else than a digest. */
  readonly certain: boolean;
}

/** What an answer to GET says about digests. */
export interface Named {
  readonly etag: string;
  readonly size: number;
  readonly sha256?: string | undefined;
  readonly sha1?: string | undefined;
  readonly crc32?: string | undefined;
  /** Whether a key of KMS or of the client encrypts the object: its etag is no MD5 then. */
  readonly hasOwnKey: boolean;
}

const CHECKSUM = /^([A-Za-z0-9+/]+={0,2})(?:-([0-9]{1,5}))?$/;
const MD5 = /^([0-9a-f]{32})(?:-([0-9]{1,5}))?$/;

/** The digest that an answer names and that can be computed again; undefined if there is none. */
export function expected(named: Named): Expected | undefined {
  const parts = Math.max(1, Math.ceil(named.size / PART_SIZE));
  for (const kind of ["sha256", "sha1", "crc32"] as const) {
    const found = CHECKSUM.exec(named[kind] ?? "");
    if (found === null) continue;
    const count = found[2] === undefined ? undefined : Number(found[2]);
    if (count === undefined || count === parts) {
      return { kind, digest: Buffer.from(found[1] ?? "", "base64"), parts: count, certain: true };
    }
  }
  const found = named.hasOwnKey ? null : MD5.exec(named.etag);
  if (found === null) return undefined;
  const count = found[2] === undefined ? undefined : Number(found[2]);
  if (count !== undefined && count !== parts) return undefined;
  return { kind: "md5", digest: Buffer.from(found[1] ?? "", "hex"), parts: count, certain: count === undefined };
}

/** The digest of a body that passes in chunks of `PART_SIZE` bytes; the last one is shorter. */
export class Proof {
  readonly #wanted: Expected | undefined;
  readonly #whole: Digest | undefined;
  #parts: Promise<Uint8Array>[] = [];

  constructor(wanted: Expected | undefined) {
    this.#wanted = wanted;
    this.#whole = wanted === undefined || wanted.parts !== undefined ? undefined : new Digest(wanted.kind);
  }

  /** Whether the digest depends on how the body was cut into parts. */
  get isOfParts(): boolean {
    return this.#wanted?.parts !== undefined;
  }

  /** Add the next chunk; when the promise is kept, the chunk is not needed any more. */
  update(chunk: Uint8Array): Promise<unknown> {
    this.#whole?.update(chunk);
    if (this.#wanted?.parts === undefined) return Promise.resolve();
    const digest = digestOf(this.#wanted.kind, chunk);
    this.#parts.push(digest);
    return digest;
  }

  /** Compare; whether the body is proven. Throws CorruptBody if it is certainly another one. */
  async end(bucket: string, key: string): Promise<boolean> {
    const wanted = this.#wanted;
    if (wanted === undefined) return false;
    const whole = this.#whole ?? new Digest(wanted.kind);
    for (const digest of this.#parts) whole.update(await digest);
    const proven = whole.digest().equals(wanted.digest);
    if (!proven && wanted.certain) {
      throw new CorruptBody(
        `the body that arrived is not the one that was stored: its ${wanted.kind.toUpperCase()} is another`,
        { bucket, key },
      );
    }
    return proven;
  }
}

/** The digest of one chunk; a SHA-256 is computed beside this thread. */
async function digestOf(kind: Kind, chunk: Uint8Array): Promise<Uint8Array> {
  if (kind === "sha256") return new Uint8Array(await webcrypto.subtle.digest("SHA-256", chunk as Uint8Array<ArrayBuffer>));
  const digest = new Digest(kind);
  digest.update(chunk);
  return digest.digest();
}

/** A hash, or zlib's CRC32 in the form of one. */
class Digest {
  readonly #hash: Hash | undefined;
  #crc = 0;

  constructor(kind: Kind) {
    this.#hash = kind === "crc32" ? undefined : createHash(kind);
  }

  update(block: Uint8Array): void {
    if (this.#hash === undefined) this.#crc = crc32(block, this.#crc);
    else this.#hash.update(block);
  }

  digest(): Buffer {
    if (this.#hash !== undefined) return this.#hash.digest();
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32BE(this.#crc);
    return bytes;
  }
}
