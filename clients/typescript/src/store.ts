/**
 * `ObjectStore`: the operations on objects, the same on AIStor and on AWS.
 *
 * Every call names its bucket, and checks its arguments before anything is sent. It does the whole operation or throws
 * one error of `errors`. The deployment, not this package, manages buckets, lifecycle, locks and policies.
 */

import { createHash } from "node:crypto";

import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  UploadPartCommand,
  type CompletedPart,
  type GetObjectCommandOutput,
  type HeadObjectCommandOutput,
  type S3Client,
} from "@aws-sdk/client-s3";
import { getSignedUrl } from "@aws-sdk/s3-request-presigner";

import { bareEtag, checkAcknowledged, factsOf, listedKey } from "./answers.js";
import { partsOf, PART_SIZE, type Body } from "./body.js";
import { clientOf } from "./client.js";
import { configFromEnvironment, secretsOf, type StoreConfig } from "./config.js";
import { File, Memory, passed, type Sink } from "./download.js";
import type { Environment } from "./endpoint.js";
import * as errors from "./errors.js";
import type { Limits } from "./limits.js";
import { checkBucket, checkKey, checkKeyOfPut, checkPrefix } from "./keys.js";
import { checkContentType, checkMetadata, guessContentType } from "./metadata.js";
import { expected, Proof } from "./proof.js";
import { ETAG, reference, type ObjectRef } from "./reference.js";
import { translated, type Place } from "./translation.js";

const PARTS_AT_ONCE = 4;
const TRIES = 4;
const SECONDS_AT_MOST = 7 * 24 * 60 * 60;
const EMPTY_PAGES_AT_MOST = 100;

/** The options of `upload`. */
export interface UploadOptions {
  /** A media type; guessed from the key's suffix if it is missing. */
  readonly contentType?: string;
  /** Names of a-z, 0-9 and '-', with values of printable ASCII, together at most 2 KB. */
  readonly metadata?: Readonly<Record<string, string>>;
  /** Store it only if the key has no object; always so in a bucket of `S3_WRITE_ONCE`. The server decides. */
  readonly ifAbsent?: boolean;
}

/** The options of `download`. */
export interface DownloadOptions {
  /** The etag that the object must have, as in a reference. */
  readonly etag?: string;
}

/** An object's body together with the reference from the same answer. */
export interface Download {
  readonly ref: ObjectRef;
  readonly body: Uint8Array;
  /** The writer's metadata, by lower-case name. */
  readonly metadata: Readonly<Record<string, string>>;
  /** Whether a digest of the server's proved the body. */
  readonly verified: boolean;
}

/** The objects of one S3 server, accessed with one credential. */
export class ObjectStore {
  readonly #config: StoreConfig;
  readonly #client: S3Client;
  readonly #limits: Limits;

  /** Make a store; nothing is sent. */
  constructor(config: StoreConfig, limits: Limits = {}) {
    this.#config = config;
    this.#limits = limits;
    this.#client = clientOf(config, config.endpoint, limits);
  }

  /** Make a store from the variables of an environment. Throws ConfigurationError. */
  static fromEnvironment(env: Environment = process.env): ObjectStore {
    return new ObjectStore(configFromEnvironment(env));
  }

  /**
   * Store a body under a key, and replace an object that is there.
   *
   * A body above 8 MiB goes up in parts, four at a time. If the upload fails, it is aborted. After a lost answer, the
   * retry with `ifAbsent` finds the object of the first try, and throws AlreadyExists too: compare with `head`.
   *
   * Throws AlreadyExists, InvalidBody, InvalidContentType, InvalidMetadata, LocalFileError, QuotaExceeded, and the errors
   * of every operation: AccessDenied, BadCredentials, BucketNotFound, ClockSkew, EndpointUnreachable, Unavailable,
   * WrongRegion, RequestRefused, UnexpectedAnswer, InvalidBucketName, InvalidKey.
   *
   * Source: https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html
   */
  async upload(bucket: string, key: string, body: Body, options: UploadOptions = {}): Promise<ObjectRef> {
    checkBucket(bucket);
    checkKeyOfPut(bucket, key);
    const { contentType } = options;
    const put: Put = {
      Bucket: bucket,
      Key: key,
      ContentType: contentType === undefined ? guessContentType(key) : checkContentType(bucket, key, contentType),
      Metadata: checkMetadata(bucket, key, options.metadata ?? {}),
      ifAbsent: (options.ifAbsent ?? false) || this.#config.writeOnce.has(bucket),
    };
    const parts = partsOf(bucket, key, body);
    const first = await parts.next();
    const start = first.done === true ? new Uint8Array() : first.value;
    const next = start.length < PART_SIZE ? undefined : await parts.next();
    const more = next === undefined || next.done === true ? [] : [next.value];
    if (more.length === 0 && start.length <= (this.#limits.multipartThreshold ?? PART_SIZE)) {
      return this.#stored(put, await this.#put(put, start), start.length);
    }
    return this.#putParts(put, chained([start, ...more], parts));
  }

  /**
   * Return an object's whole body with its reference, both from one answer.
   *
   * Throws NotFound, StaleReference (its etag is not the given one), IncompleteTransfer, CorruptBody, UnverifiedBody, and
   * the errors of every operation.
   *
   * Source: https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html
   */
  async download(bucket: string, key: string, options: DownloadOptions = {}): Promise<Download> {
    const sink = new Memory();
    const found = await this.#download(bucket, key, options.etag, sink);
    return { ...found, body: sink.body };
  }

  /** Write an object's body to a file, which then holds the whole body or is unchanged. Throws LocalFileError too. */
  async downloadFile(
    bucket: string,
    key: string,
    path: string,
    options: DownloadOptions = {},
  ): Promise<Omit<Download, "body">> {
    return this.#download(bucket, key, options.etag, new File(path, bucket, key));
  }

  /** Return the reference to an object without its body. Throws NotFound. */
  async head(bucket: string, key: string): Promise<ObjectRef> {
    checkBucket(bucket);
    checkKey(bucket, key);
    return factsOf(bucket, key, await this.#headOrGet(bucket, key)).ref;
  }

  /**
   * Yield a reference for each object whose key begins with the prefix, in the server's order; its content type is null.
   *
   * Source: https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html
   */
  async *list(bucket: string, prefix = ""): AsyncGenerator<ObjectRef> {
    checkBucket(bucket);
    checkPrefix(bucket, prefix);
    const where = { bucket, key: prefix === "" ? undefined : prefix };
    let token: string | undefined;
    let last: Buffer | undefined;
    let empty = 0;
    do {
      const command = new ListObjectsV2Command({
        Bucket: bucket,
        Prefix: prefix,
        EncodingType: "url",
        ...(token === undefined ? {} : { ContinuationToken: token }),
      });
      const page = await this.#tried(bucket, where.key, () => this.#client.send(command));
      if (page.IsTruncated === undefined) throw new errors.UnexpectedAnswer("the answer is not a listing", where);
      token = page.IsTruncated ? page.NextContinuationToken : undefined;
      if (page.IsTruncated && !token) {
        throw new errors.UnexpectedAnswer("the listing is cut short, and says not where", where);
      }
      empty = page.Contents?.length ? 0 : empty + 1;
      if (empty > EMPTY_PAGES_AT_MOST) throw new errors.UnexpectedAnswer("the listing does not end", where);
      for (const entry of page.Contents ?? []) {
        const key = listedKey(entry.Key, page.EncodingType);
        const { Size: size } = entry;
        if (!key || size === undefined || !(size >= 0)) {
          throw new errors.UnexpectedAnswer("an entry of the listing has no key, or no size", where);
        }
        const at = Buffer.from(key);
        if (!key.startsWith(prefix) || (last !== undefined && Buffer.compare(at, last) <= 0)) {
          throw new errors.UnexpectedAnswer(
            "the listing repeats a key, or has one out of order or outside of what was asked for",
            { bucket, key },
          );
        }
        last = at;
        yield reference(bucket, key, bareEtag(entry.ETag, bucket, key), size, null);
      }
    } while (token !== undefined);
  }

  /**
   * Return a URL with which its holder can read (GET) or store (PUT) this one object until it expires; nothing is sent.
   *
   * It is made for `S3_CLIENT_ENDPOINT` if that is set. It is a secret until it expires.
   *
   * Throws InvalidExpiry: not from 1 second to 7 days.
   */
  async presign(bucket: string, key: string, expirySeconds: number, method: "GET" | "PUT" = "GET"): Promise<string> {
    checkBucket(bucket);
    if (method === "PUT") checkKeyOfPut(bucket, key);
    else checkKey(bucket, key);
    if (!(expirySeconds >= 1 && expirySeconds <= SECONDS_AT_MOST)) {
      throw new errors.InvalidExpiry(
        `a presigned URL cannot be valid for ${String(expirySeconds)}; legal: seconds, from 1 to ${SECONDS_AT_MOST}`,
        { bucket, key },
      );
    }
    const theirs = this.#config.clientEndpoint;
    const client = theirs === undefined ? this.#client : clientOf(this.#config, theirs, this.#limits);
    const object = { Bucket: bucket, Key: key };
    const command = method === "PUT" ? new PutObjectCommand(object) : new GetObjectCommand(object);
    return this.#tried(bucket, key, () =>
      getSignedUrl(client as never, command as never, { expiresIn: Math.floor(expirySeconds) }),
    );
  }

  /** Remove an object; a missing object is not an error. A bucket with versions keeps them behind a delete marker. */
  async deleteObject(bucket: string, key: string): Promise<void> {
    checkBucket(bucket);
    checkKey(bucket, key.endsWith("/") ? key.slice(0, -1) : key);
    let status: number | undefined;
    try {
      const command = new DeleteObjectCommand({ Bucket: bucket, Key: key });
      status = (await this.#tried(bucket, key, () => this.#client.send(command))).$metadata.httpStatusCode;
    } catch (fault) {
      const isNone = fault instanceof errors.NotFound && !(fault instanceof errors.BucketNotFound);
      if (isNone && [undefined, "NoSuchKey", "NoSuchVersion"].includes(fault.code)) return;
      throw fault;
    }
    if (status !== 204 && (await this.#isThere(bucket, key))) {
      throw new errors.UnexpectedAnswer(
        `the answer is ${String(status)}, not 204 as for a removal, and the object is still there`,
        { bucket, key, status },
      );
    }
  }

  /** Release the connections. */
  close(): void {
    this.#client.destroy();
  }

  async #put(put: Put, body: Uint8Array): Promise<string> {
    const { ifAbsent, ...object } = put;
    const digest = createHash("sha256").update(body).digest();
    const command = signedBy(
      new PutObjectCommand({
        ...object,
        Body: body,
        ContentLength: body.length,
        ChecksumSHA256: digest.toString("base64"),
        ...(ifAbsent ? { IfNoneMatch: "*" } : {}),
      }),
      digest,
    );
    const answer = await this.#conditional(put, () => this.#client.send(command));
    return checkAcknowledged(answer, digest, body, put.Bucket, put.Key);
  }

  async #putParts(put: Put, parts: AsyncIterable<Uint8Array>): Promise<ObjectRef> {
    const { ifAbsent, ...object } = put;
    const where = { bucket: put.Bucket, key: put.Key };
    // A server that joins parts over an object in spite of the condition (Ceph RGW 16) need not get them first.
    if (ifAbsent && (await this.#isSeen(put.Bucket, put.Key))) {
      throw new errors.AlreadyExists("an object with this key already exists", where);
    }
    const begin = new CreateMultipartUploadCommand({ ...object, ChecksumAlgorithm: "SHA256" });
    const { UploadId: id } = await this.#tried(put.Bucket, put.Key, () => this.#client.send(begin));
    if (!id) throw new errors.UnexpectedAnswer("the answer has no upload id", where);
    const upload = { Bucket: put.Bucket, Key: put.Key, UploadId: id };
    const running = new Set<Promise<void>>();
    try {
      const done: CompletedPart[] = [];
      let size = 0;
      let number = 0;
      for await (const part of parts) {
        size += part.length;
        number += 1;
        const at = number;
        const sent = this.#putPart(upload, at, part).then((one) => {
          done[at - 1] = one;
        });
        running.add(sent);
        void sent.finally(() => running.delete(sent)).catch(() => undefined);
        if (running.size >= PARTS_AT_ONCE) await Promise.race(running);
      }
      await Promise.all(running);
      const join = new CompleteMultipartUploadCommand({
        ...upload,
        MultipartUpload: { Parts: done },
        ...(ifAbsent ? { IfNoneMatch: "*" } : {}),
      });
      const answer = await this.#conditional(put, () => this.#client.send(join));
      const etag = answer.ETag ? bareEtag(answer.ETag, put.Bucket, put.Key) : (await this.head(put.Bucket, put.Key)).etag;
      return this.#stored(put, etag, size);
    } catch (fault) {
      // A part that arrives after the abort would stay: https://docs.aws.amazon.com/AmazonS3/latest/API/API_AbortMultipartUpload.html
      await Promise.allSettled(running);
      await this.#client.send(new AbortMultipartUploadCommand(upload)).catch(() => undefined);
      // If the answer that joins the parts is lost, the SDK asks again for an upload that is gone.
      if (fault instanceof errors.ObjectStoreError && fault.code === "NoSuchUpload") {
        throw new errors.EndpointUnreachable(
          "the connection was lost at the end of the upload: the object may be stored or not",
          where,
        );
      }
      throw fault;
    }
  }

  async #putPart(
    upload: { Bucket: string; Key: string; UploadId: string },
    number: number,
    part: Uint8Array,
  ): Promise<CompletedPart> {
    const digest = createHash("sha256").update(part).digest();
    const checksum = digest.toString("base64");
    const command = signedBy(
      new UploadPartCommand({
        ...upload,
        PartNumber: number,
        Body: part,
        ContentLength: part.length,
        ChecksumSHA256: checksum,
      }),
      digest,
    );
    const answer = await this.#tried(upload.Bucket, upload.Key, () => this.#client.send(command));
    const etag = checkAcknowledged(answer, digest, part, upload.Bucket, upload.Key);
    return { PartNumber: number, ETag: `"${etag}"`, ChecksumSHA256: checksum };
  }

  #stored(put: Put, etag: string, size: number): ObjectRef {
    return reference(put.Bucket, put.Key, etag, size, put.ContentType);
  }

  async #download(bucket: string, key: string, etag: string | undefined, sink: Sink): Promise<Omit<Download, "body">> {
    checkBucket(bucket);
    checkKey(bucket, key);
    if (etag !== undefined && !ETAG.test(etag)) {
      throw new errors.InvalidReference("the etag is none; legal: as in a reference, printable ASCII without its quotes", {
        bucket,
        key,
      });
    }
    let wanted = etag;
    try {
      for (let left = TRIES; ; left -= 1) {
        const answer = await this.#get(bucket, key, wanted);
        const facts = factsOf(bucket, key, answer, wanted);
        const proof = new Proof(expected(facts.named));
        try {
          await sink.restart(facts.ref.size);
          const body = answer.Body as AsyncIterable<Uint8Array>;
          await this.#tried(bucket, key, () => passed(body, facts.ref, proof, sink));
        } catch (fault) {
          drop(answer);
          const isLost = fault instanceof errors.EndpointUnreachable || fault instanceof errors.IncompleteTransfer;
          if (!isLost || left <= 1) throw fault;
          wanted = facts.ref.etag; // the next try must bring the same object
          continue;
        }
        const verified = await this.#proven(proof, facts.ref);
        await sink.commit();
        return { ref: facts.ref, metadata: facts.metadata, verified };
      }
    } catch (fault) {
      await sink.discard();
      throw fault;
    }
  }

  async #proven(proof: Proof, ref: ObjectRef): Promise<boolean> {
    let proven = false;
    try {
      proven = await proof.end(ref.bucket, ref.key);
    } catch (fault) {
      const first = proof.isOfParts ? await this.#firstPart(ref) : undefined;
      if (first === undefined || first === PART_SIZE) throw fault;
    }
    if (!proven && this.#config.onlyVerified) {
      throw new errors.UnverifiedBody("no digest of the server's proves the body", { bucket: ref.bucket, key: ref.key });
    }
    return proven;
  }

  /** Bytes of an object's first part: another program may have cut it into other parts than this package. */
  async #firstPart(ref: ObjectRef): Promise<number | undefined> {
    const command = new HeadObjectCommand({ Bucket: ref.bucket, Key: ref.key, PartNumber: 1 });
    const answer = await this.#client.send(command).catch(() => undefined);
    return answer?.PartsCount ? answer.ContentLength : undefined;
  }

  async #get(bucket: string, key: string, etag: string | undefined): Promise<GetObjectCommandOutput> {
    const command = withHeaders(
      new GetObjectCommand({ Bucket: bucket, Key: key, ...(etag === undefined ? {} : { IfMatch: `"${etag}"` }) }),
      // As a header: as a parameter, it would make the SDK check the body too.
      { "x-amz-checksum-mode": "ENABLED" },
    );
    try {
      return await this.#tried(bucket, key, () => this.#client.send(command));
    } catch (fault) {
      if (etag !== undefined && fault instanceof errors.RequestRefused && fault.status === 412) {
        throw new errors.StaleReference(`the object does not have etag ${errors.shown(etag)}`, { bucket, key, status: 412 });
      }
      throw fault;
    }
  }

  /** The answer to HEAD has no body, so it has no error code: the same request as GET says what is wrong. */
  async #headOrGet(bucket: string, key: string): Promise<HeadObjectCommandOutput> {
    try {
      const command = new HeadObjectCommand({ Bucket: bucket, Key: key });
      return await this.#tried(bucket, key, () => this.#client.send(command));
    } catch (fault) {
      const says = [errors.AccessDenied, errors.NotFound, errors.RequestRefused, errors.UnexpectedAnswer];
      if (!says.some((kind) => fault instanceof kind)) throw fault;
      const answer = await this.#get(bucket, key, undefined);
      drop(answer);
      return answer;
    }
  }

  async #isThere(bucket: string, key: string): Promise<boolean> {
    try {
      await this.#headOrGet(bucket, key);
      return true;
    } catch (fault) {
      if (fault instanceof errors.NotFound) return false;
      throw fault;
    }
  }

  /** Whether the object is there and may be read. AWS denies what is missing if the bucket may not be listed. */
  async #isSeen(bucket: string, key: string): Promise<boolean> {
    try {
      return await this.#isThere(bucket, key);
    } catch (fault) {
      if (fault instanceof errors.AccessDenied) return false;
      throw fault;
    }
  }

  async #conditional<T>(put: Put, action: () => Promise<T>): Promise<T> {
    try {
      return await this.#tried(put.Bucket, put.Key, action);
    } catch (fault) {
      if (put.ifAbsent && fault instanceof errors.RequestRefused && fault.status === 412) {
        throw new errors.AlreadyExists("an object with this key already exists", {
          bucket: put.Bucket,
          key: put.Key,
          status: 412,
        });
      }
      throw fault;
    }
  }

  async #tried<T>(bucket: string, key: string | undefined, action: () => Promise<T>): Promise<T> {
    let failure: errors.ObjectStoreError;
    try {
      return await action();
    } catch (raw) {
      failure = translated(raw, this.#place(bucket, key));
    }
    // Thrown outside of the catch clause: the raw error, whose text may hold anything, is not its cause.
    throw failure;
  }

  #place(bucket: string, key: string | undefined): Place {
    const { endpoint, region, proxy } = this.#config;
    const server = endpoint ?? `AWS S3 in ${region}`;
    return {
      server: proxy === undefined ? server : `${server} (through the proxy ${proxy.shown})`,
      isAws: endpoint === undefined || endpoint.includes(".amazonaws.com"),
      isPlain: endpoint?.startsWith("http://") ?? false,
      bucket,
      key,
      secrets: secretsOf(this.#config),
    };
  }
}

/** An upload with valid arguments. */
interface Put {
  readonly Bucket: string;
  readonly Key: string;
  readonly ContentType: string;
  readonly Metadata: Record<string, string>;
  readonly ifAbsent: boolean;
}

/** What the SDK's commands have in common, which its types do not say. */
interface Sendable {
  readonly middlewareStack: {
    add(
      middleware: (next: (args: Built) => Promise<never>) => (args: Built) => Promise<never>,
      options: { readonly step: "build"; readonly name: string },
    ): void;
  };
}

interface Built {
  readonly request: unknown;
}

/** The command with the body's SHA-256 in its signature, so that the SDK does not compute it again. */
function signedBy<C extends PutObjectCommand | UploadPartCommand>(command: C, digest: Buffer): C {
  return withHeaders(command, { "x-amz-content-sha256": digest.toString("hex") });
}

function withHeaders<C>(command: C, headers: Readonly<Record<string, string>>): C {
  (command as unknown as Sendable).middlewareStack.add(
    (next) => async (args) => {
      Object.assign((args.request as { headers: Record<string, string> }).headers, headers);
      return next(args);
    },
    { step: "build", name: "givenHeaders" },
  );
  return command;
}

async function* chained(first: readonly Uint8Array[], rest: AsyncGenerator<Uint8Array>): AsyncGenerator<Uint8Array> {
  yield* first;
  yield* rest;
}

/** Let a connection go whose body is not read. */
function drop(answer: { Body?: unknown }): void {
  (answer.Body as { destroy?: () => void } | undefined)?.destroy?.();
}
