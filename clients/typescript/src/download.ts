/**
 * A whole body on its way in: counted, proved, and in memory or in a file that holds all of it or is unchanged.
 */

import { randomBytes } from "node:crypto";
import { lstat, open, rename, rm, type FileHandle } from "node:fs/promises";
import { basename, dirname, join } from "node:path";

import { IncompleteTransfer, LocalFileError, NotFound, ObjectStoreError } from "./errors.js";
import type { ObjectRef } from "./reference.js";
import type { Proof } from "./proof.js";

/** Where the blocks of a body go. */
export interface Sink {
  /** Begin again: an earlier try ended early. */
  restart(size: number): Promise<void>;
  write(block: Uint8Array): Promise<void>;
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
  for await (const block of blocks) {
    size += block.length;
    if (size > ref.size) break;
    proof.update(block);
    await sink.write(block);
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
  #blocks: Uint8Array[] = [];

  restart(): Promise<void> {
    this.#blocks = [];
    return Promise.resolve();
  }

  write(block: Uint8Array): Promise<void> {
    this.#blocks.push(block);
    return Promise.resolve();
  }

  commit(): Promise<void> {
    this.body = this.#blocks.length === 1 && this.#blocks[0] ? this.#blocks[0] : Buffer.concat(this.#blocks);
    this.#blocks = [];
    return Promise.resolve();
  }

  discard(): Promise<void> {
    this.#blocks = [];
    return Promise.resolve();
  }
}

/** A file beside the target, which takes the target's place at the end. */
export class File implements Sink {
  readonly #path: string;
  readonly #partial: string;
  readonly #where: { bucket: string; key: string };
  #file: FileHandle | undefined;

  constructor(path: string, bucket: string, key: string) {
    this.#path = path;
    this.#partial = join(dirname(path), `.object-store-${randomBytes(8).toString("hex")}-${basename(path).slice(0, 100)}`);
    this.#where = { bucket, key };
  }

  async restart(): Promise<void> {
    await this.#tried(async () => {
      const there = await lstat(this.#path).catch(() => undefined);
      if (there !== undefined && !there.isFile()) throw new Error("something is there that is not a regular file");
      if (this.#file === undefined) this.#file = await open(this.#partial, "wx", there?.mode ?? 0o666);
      else await this.#file.truncate(0);
    });
    this.#at = 0;
  }

  #at = 0;

  async write(block: Uint8Array): Promise<void> {
    await this.#tried(async () => {
      for (let done = 0; done < block.length; ) {
        const { bytesWritten } = (await this.#file?.write(block, done, block.length - done, this.#at + done)) ?? {
          bytesWritten: 0,
        };
        done += bytesWritten;
      }
      this.#at += block.length;
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

/** Whether another try may bring the whole body. */
export function mayBeTriedAgain(fault: unknown): boolean {
  return fault instanceof ObjectStoreError && !(fault instanceof LocalFileError) && !(fault instanceof NotFound);
}
