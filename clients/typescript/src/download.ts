/**
 * A whole body on its way in: counted, proved, and in memory or in a file that holds all of it or is unchanged.
 */

import { constants } from "node:buffer";
import { randomBytes } from "node:crypto";
import { lstat, open, rename, rm, type FileHandle } from "node:fs/promises";
import { basename, dirname, join } from "node:path";

import { PART_SIZE } from "./body.js";
import { IncompleteTransfer, LocalFault, LocalFileError } from "./errors.js";
import type { ObjectRef } from "./reference.js";
import type { Proof } from "./proof.js";

const { MAX_LENGTH } = constants;

/** Where a body goes, in chunks. */
export interface Sink {
  /** Begin, or begin again after a try that ended early. */
  restart(size: number): Promise<void>;
  /** The place for the next chunk, of that many bytes. */
  place(size: number): Promise<Uint8Array>;
  /** The chunk is in its place; it is needed until the promise is kept. */
  filled(chunk: Uint8Array, needed: Promise<unknown>): Promise<void>;
  /** The body is whole. */
  commit(): Promise<void>;
  /** It is not. */
  discard(): Promise<void>;
}

/** Pass a body on. Throws IncompleteTransfer if it has another length than announced; errors of the stream pass. */
export async function passed(
  blocks: AsyncIterable<Uint8Array>,
  ref: ObjectRef,
  proof: Proof,
  sink: Sink,
): Promise<void> {
  const where = { bucket: ref.bucket, key: ref.key };
  let size = 0;
  let at = 0;
  let chunk = await sink.place(Math.min(PART_SIZE, ref.size));
  for await (const block of blocks) {
    size += block.length;
    if (size > ref.size) break;
    for (let done = 0; done < block.length; ) {
      const piece = block.subarray(done, done + chunk.length - at);
      chunk.set(piece, at);
      at += piece.length;
      done += piece.length;
      if (at === chunk.length) {
        await sink.filled(chunk, proof.update(chunk));
        chunk = await sink.place(Math.min(PART_SIZE, ref.size - (size - block.length + done)));
        at = 0;
      }
    }
  }
  if (size !== ref.size) {
    throw new IncompleteTransfer(
      size > ref.size
        ? `the body is longer than the ${ref.size} bytes announced`
        : `the body ended after ${size} of ${ref.size} bytes`,
      where,
    );
  }
}

/** A body in memory. */
export class Memory implements Sink {
  body: Uint8Array = new Uint8Array();
  #at = 0;

  restart(size: number): Promise<void> {
    this.#at = 0;
    if (size > MAX_LENGTH) {
      return Promise.reject(new LocalFault(`a body of ${size} bytes does not fit in memory: use downloadFile`));
    }
    // The system gives the pages as they are filled, so a length that is a lie costs nothing.
    this.body = this.body.length === size ? this.body : Buffer.allocUnsafeSlow(size);
    return Promise.resolve();
  }

  place(size: number): Promise<Uint8Array> {
    this.#at += size;
    return Promise.resolve(this.body.subarray(this.#at - size, this.#at));
  }

  filled(): Promise<void> {
    return Promise.resolve();
  }

  commit(): Promise<void> {
    return Promise.resolve();
  }

  discard(): Promise<void> {
    this.body = new Uint8Array();
    return Promise.resolve();
  }
}

/** A file beside the target, which takes the target's place at the end. */
export class File implements Sink {
  readonly #path: string;
  readonly #partial: string;
  readonly #where: { bucket: string; key: string };
  #file: FileHandle | undefined;
  #at = 0;
  #turn = 0;
  readonly #chunks: (Buffer | undefined)[] = [];
  readonly #needed: (Promise<unknown> | undefined)[] = [];

  constructor(path: string, bucket: string, key: string) {
    this.#path = path;
    this.#partial = join(dirname(path), `.object-store-${randomBytes(8).toString("hex")}-${basename(path).slice(0, 100)}`);
    this.#where = { bucket, key };
  }

  async restart(): Promise<void> {
    await this.#tried(async () => {
      const there = await lstat(this.#path).catch(() => undefined);
      if (there !== undefined && !there.isFile()) throw new Error("something is there that is not a regular file");
      if (this.#file === undefined) {
        this.#file = await open(this.#partial, "wx", 0o666);
        if (there !== undefined) await this.#file.chmod(there.mode & 0o7777);
      } else await this.#file.truncate(0);
    });
    this.#at = 0;
  }

  async place(size: number): Promise<Uint8Array> {
    // In turn, so that one is filled while the digest of the other is computed.
    this.#turn = 1 - this.#turn;
    await this.#needed[this.#turn];
    this.#chunks[this.#turn] ??= Buffer.allocUnsafeSlow(Math.max(1, size));
    return (this.#chunks[this.#turn] as Buffer).subarray(0, size);
  }

  async filled(chunk: Uint8Array, needed: Promise<unknown>): Promise<void> {
    this.#needed[this.#turn] = needed;
    await this.#tried(async () => {
      for (let done = 0; done < chunk.length; ) {
        const { bytesWritten } = (await this.#file?.write(chunk, done, chunk.length - done, this.#at + done)) ?? {
          bytesWritten: 0,
        };
        done += bytesWritten;
      }
      this.#at += chunk.length;
    });
  }

  async commit(): Promise<void> {
    await this.#tried(async () => {
      await this.#file?.sync();
      await this.#file?.close();
      this.#file = undefined;
      await rename(this.#partial, this.#path);
    });
  }

  async discard(): Promise<void> {
    await this.#file?.close().catch(() => undefined);
    this.#file = undefined;
    await rm(this.#partial, { force: true }).catch(() => undefined);
  }

  async #tried(action: () => Promise<void>): Promise<void> {
    try {
      await action();
    } catch (fault) {
      const { code, message } = fault as NodeJS.ErrnoException;
      throw new LocalFileError(`${this.#path} cannot be written: ${code ?? message}`, this.#where);
    }
  }
}
