/**
 * Runs one operation for each line of standard input, and prints its result as one line, so that tests in another
 * language can drive this one.
 *
 * A line is `{"do": NAME, …}` with the names of `tests/contract/cases`. A body is `{"text": …}`, `{"base64": …}`,
 * `{"path": …}` or `{"pattern": LENGTH}`; with `"as": "stream"` it goes in as blocks. A result has `ref`, `refs`, `body`
 * (its SHA-256 in hex), `url`, `metadata`, `verified`, or `error` and `message`.
 */

import { createHash } from "node:crypto";
import { createInterface } from "node:readline";

import { ObjectStore, ObjectStoreError, configFromEnvironment, parseReference, type Body } from "../src/index.js";

interface GivenBody {
  readonly text?: string;
  readonly base64?: string;
  readonly path?: string;
  readonly pattern?: number;
  readonly as?: "stream";
}

interface Step {
  readonly do: string;
  readonly bucket: string;
  readonly key: string;
  readonly body?: GivenBody;
  readonly contentType?: string;
  readonly metadata?: Record<string, string>;
  readonly ifAbsent?: boolean;
  readonly etag?: string;
  readonly prefix?: string;
  readonly seconds?: number;
  readonly method?: "GET" | "PUT";
  readonly path?: string;
  readonly environment?: Record<string, string>;
  readonly reference?: string;
}

const limits = JSON.parse(process.env["DRIVER_LIMITS"] ?? "{}") as Record<string, number>;
let opened: ObjectStore | undefined;

function store(): ObjectStore {
  opened ??= new ObjectStore(configFromEnvironment(), limits);
  return opened;
}

function bodyOf(given: GivenBody): Body {
  if (given.path !== undefined) return { path: given.path };
  const bytes = bytesOf(given);
  return given.as === "stream" ? blocksOf(bytes) : bytes;
}

function bytesOf(given: GivenBody): Uint8Array {
  if (given.text !== undefined) return Buffer.from(given.text);
  if (given.base64 !== undefined) return Buffer.from(given.base64, "base64");
  const bytes = Buffer.alloc(given.pattern ?? 0, 0xff);
  for (let at = 0; at + 8 <= bytes.length; at += 8) bytes.writeBigUInt64BE(BigInt(at / 8), at);
  return bytes;
}

async function* blocksOf(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += 1_000_003) yield bytes.subarray(at, at + 1_000_003);
}

async function done(step: Step): Promise<Record<string, unknown>> {
  const { bucket, key } = step;
  const etag = step.etag === undefined ? {} : { etag: step.etag };
  switch (step.do) {
    case "configure":
      return { config: configFromEnvironment(step.environment ?? {}).endpoint ?? null };
    case "parse":
      return { ref: parseReference(step.reference) };
    case "upload": {
      const ref = await store().upload(bucket, key, bodyOf(step.body ?? {}), {
        ...(step.contentType === undefined ? {} : { contentType: step.contentType }),
        ...(step.metadata === undefined ? {} : { metadata: step.metadata }),
        ...(step.ifAbsent === undefined ? {} : { ifAbsent: step.ifAbsent }),
      });
      return { ref };
    }
    case "download": {
      const { body, ...found } = await store().download(bucket, key, etag);
      return { ...found, body: createHash("sha256").update(body).digest("hex") };
    }
    case "downloadFile":
      return { ...(await store().downloadFile(bucket, key, step.path ?? "", etag)) };
    case "head":
      return { ref: await store().head(bucket, key) };
    case "list": {
      const refs = [];
      for await (const ref of store().list(bucket, step.prefix)) refs.push(ref);
      return { refs };
    }
    case "presign":
      return { url: await store().presign(bucket, key, step.seconds ?? 60, step.method) };
    case "delete":
      await store().deleteObject(bucket, key);
      return {};
    default:
      throw new Error(`no operation ${step.do}`);
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  let result: Record<string, unknown>;
  try {
    result = await done(JSON.parse(line) as Step);
  } catch (fault) {
    if (!(fault instanceof ObjectStoreError)) throw fault;
    result = { error: fault.name, message: fault.message, code: fault.code, status: fault.status };
  }
  process.stdout.write(`${JSON.stringify(result)}\n`);
}
opened?.close();
