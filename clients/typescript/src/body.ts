/**
 * The body of an upload: read in parts, and never whole in memory above the threshold (`object_store/body.py`).
 *
 * The rule: if the body itself fails (a disk, the caller's stream), the upload throws that error unchanged.
 */

import { constants } from "node:fs";
import { open } from "node:fs/promises";

import { InvalidBody, LocalFileError } from "./errors.js";

/** Bytes in each part of a body that one request does not send; also the length up to which one request does. */
export const PART_SIZE = 8 * 1024 * 1024;
/** Longest body: at most 10 000 parts. */
export const MAX_BODY_BYTES = 10_000 * PART_SIZE;

/** Bytes, a file by its path, or blocks of bytes (a `Readable` too). */
export type Body = Uint8Array | { readonly path: string } | AsyncIterable<Uint8Array> | Iterable<Uint8Array>;

const LEGAL = "legal: a Uint8Array, { path }, or an iterable of Uint8Array (encode text first)";

/** The body in parts of `PART_SIZE` bytes; the last one is shorter, and an empty body is one empty part. */
export async function* partsOf(bucket: string, key: string, body: Body): AsyncGenerator<Uint8Array> {
  if (body instanceof Uint8Array) {
    for (let at = 0; at === 0 || at < body.length; at += PART_SIZE) yield body.subarray(at, at + PART_SIZE);
    return;
  }
  let held: Uint8Array[] = [];
  let size = 0;
  let total = 0;
  let count = 0;
  for await (const block of blocksOf(bucket, key, body)) {
    total += block.length;
    if (total > MAX_BODY_BYTES) {
      throw new InvalidBody(`the body is longer than ${MAX_BODY_BYTES} bytes`, { bucket, key });
    }
    for (let at = 0; at < block.length; ) {
      const piece = block.subarray(at, at + PART_SIZE - size);
      held.push(piece);
      size += piece.length;
      at += piece.length;
      if (size === PART_SIZE) {
        yield joined(held, size);
        [held, size, count] = [[], 0, count + 1];
      }
    }
  }
  if (size > 0 || count === 0) yield joined(held, size);
}

function joined(pieces: readonly Uint8Array[], size: number): Uint8Array {
  return pieces.length === 1 && pieces[0] !== undefined ? pieces[0] : Buffer.concat(pieces, size);
}

async function* blocksOf(bucket: string, key: string, body: Exclude<Body, Uint8Array>): AsyncGenerator<Uint8Array> {
  if (typeof body === "object" && body !== null && "path" in body && typeof body.path === "string" && !(Symbol.asyncIterator in body)) {
    yield* fileBlocks(bucket, key, body.path);
    return;
  }
  const isIterable =
    typeof body === "object" && body !== null && (Symbol.asyncIterator in body || Symbol.iterator in body);
  if (!isIterable) throw new InvalidBody(`the body is ${typeof body}; ${LEGAL}`, { bucket, key });
  for await (const block of body as AsyncIterable<unknown>) {
    // A caller may fill one buffer again and again.
    if (!(block instanceof Uint8Array)) throw new InvalidBody(`a block is ${typeof block}; ${LEGAL}`, { bucket, key });
    yield block.slice();
  }
}

async function* fileBlocks(bucket: string, key: string, path: string): AsyncGenerator<Uint8Array> {
  const failed = (fault: unknown): LocalFileError =>
    new LocalFileError(`${path} cannot be read: ${(fault as NodeJS.ErrnoException).code ?? "unknown"}`, { bucket, key });
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK).catch((fault: unknown) => {
    throw failed(fault);
  });
  try {
    const before = await file.stat({ bigint: true });
    if (!before.isFile()) throw new LocalFileError(`${path} is not a regular file`, { bucket, key });
    let read = 0n;
    for (;;) {
      const buffer = Buffer.allocUnsafe(1024 * 1024);
      const { bytesRead } = await file.read(buffer, 0, buffer.length, null).catch((fault: unknown) => {
        throw failed(fault);
      });
      if (bytesRead === 0) break;
      read += BigInt(bytesRead);
      yield buffer.subarray(0, bytesRead);
    }
    const after = await file.stat({ bigint: true });
    if (read !== before.size || after.size !== before.size || after.mtimeNs !== before.mtimeNs) {
      throw new LocalFileError(`${path} changes while it is read`, { bucket, key });
    }
  } finally {
    await file.close();
  }
}
