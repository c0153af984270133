/**
 * Puts and gets with the package and with the bare SDK in turn, and prints the seconds of each, as one line of JSON.
 *
 * Arguments: the bucket, how many small and how many large bodies, their sizes in bytes, and the rounds.
 */

import { readFileSync } from "node:fs";
import { Agent } from "node:https";
import { cpuUsage, memoryUsage } from "node:process";

import { GetObjectCommand, PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { NodeHttpHandler } from "@smithy/node-http-handler";

import { configFromEnvironment, ObjectStore } from "../src/index.js";

const [bucket = "", smallCount = "", smallSize = "", largeCount = "", largeSize = "", rounds = ""] = process.argv.slice(2);
const AT_ONCE = 16;
const config = configFromEnvironment();
const store = new ObjectStore(config);
const ca = process.env["S3_CA_BUNDLE"];
const bare = new S3Client({
  ...(config.endpoint === undefined ? {} : { endpoint: config.endpoint }),
  forcePathStyle: true,
  region: config.region,
  credentials: { accessKeyId: config.accessKeyId, secretAccessKey: config.secretAccessKey },
  requestHandler: new NodeHttpHandler({
    httpsAgent: new Agent({ keepAlive: true, maxSockets: AT_ONCE, ...(ca ? { ca: readFileSync(ca) } : {}) }),
  }),
});

interface Side {
  put(key: string, body: Uint8Array): Promise<unknown>;
  get(key: string): Promise<Uint8Array>;
}

const sides: Record<string, Side> = {
  ours: {
    put: (key, body) => store.upload(bucket, key, body),
    get: async (key) => (await store.download(bucket, key)).body,
  },
  bare: {
    put: (Key, Body) => bare.send(new PutObjectCommand({ Bucket: bucket, Key, Body })),
    get: async (Key) => {
      const answer = await bare.send(new GetObjectCommand({ Bucket: bucket, Key }));
      return (await answer.Body?.transformToByteArray()) ?? new Uint8Array();
    },
  },
};

async function timed(count: number, atOnce: number, action: (number: number) => Promise<void>): Promise<number[]> {
  const [begun, before] = [performance.now(), cpuUsage()];
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < count) await action(next++);
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
  const { user, system } = cpuUsage(before);
  return [(performance.now() - begun) / 1e3, (user + system) / 1e6];
}

const found: Record<string, number[][]> = {};
for (let round = 0; round < Number(rounds); round += 1) {
  for (const name of round % 2 === 0 ? ["ours", "bare"] : ["bare", "ours"]) {
    const side = sides[name];
    if (side === undefined) continue;
    for (const [kind, count, size, atOnce] of [
      ["small", Number(smallCount), Number(smallSize), AT_ONCE],
      ["large", Number(largeCount), Number(largeSize), 1],
    ] as const) {
      const body = Buffer.alloc(size, round + 1);
      const put = await timed(count, atOnce, async (at) => void (await side.put(`${name}/${kind}/${at}`, body)));
      const get = await timed(count, atOnce, async (at) => {
        const back = await side.get(`${name}/${kind}/${at}`);
        if (back.length !== size) throw new Error(`${name} ${kind} ${at}: ${back.length} bytes`);
      });
      (found[`${name}_${kind}_put`] ??= []).push(put);
      (found[`${name}_${kind}_get`] ??= []).push(get);
    }
  }
}
process.stdout.write(`${JSON.stringify({ found, memory: memoryUsage().rss / 1e6 })}\n`);
store.close();
bare.destroy();
