/** A function of Inngest that archives a file of a chat, and sends the event that leads to it. */

import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { basename } from "node:path";

import { AlreadyExists, type Events, type ObjectRef, type ObjectStore } from "@joelclaw/object-store";

/** What is used of Inngest's `step`. */
export interface Step {
  run<T>(id: string, action: () => Promise<T>): Promise<T>;
  sendEvent<Name extends keyof Events>(
    id: string,
    event: { name: Name; data: Events[Name]["data"] },
  ): Promise<unknown>;
}

/** An event as Inngest gives it; `ts` is when it happened, in milliseconds. */
export interface Received {
  readonly ts: number;
  readonly data: Events["media/received"]["data"] & { readonly localPath: string };
}

/** Archive the file, then send `media/processed`. The step throws if the store is away, and Inngest runs it again. */
export async function archiveMedia(
  store: ObjectStore,
  bucket: string,
  { event, step }: { event: Received; step: Step },
): Promise<ObjectRef> {
  const { localPath, source, type, fileName, mimeType } = event.data;
  const objectRef = await step.run("archive", async () => {
    // By the content and the event's time: nothing of this run is in the key, so every run finds the same object.
    const day = new Date(event.ts).toISOString().slice(0, 10).replaceAll("-", "/");
    const name = encodeURIComponent(fileName ?? basename(localPath)).slice(0, 200);
    const key = `chat/${encodeURIComponent(source)}/${day}/${(await sha256(localPath)).slice(0, 16)}/${name}`;
    try {
      return await store.upload(bucket, key, { path: localPath }, { contentType: mimeType, ifAbsent: true });
    } catch (fault) {
      if (!(fault instanceof AlreadyExists)) throw fault;
      return await store.head(bucket, key); // an earlier run stored it, or its answer was lost
    }
  });
  const { contentType, ...known } = objectRef;
  await step.sendEvent("processed", {
    name: "media/processed",
    data: { source, type, localPath, objectRef: { ...known, contentType: contentType ?? mimeType } },
  });
  return objectRef;
}

async function sha256(path: string): Promise<string> {
  const hash = createHash("sha256");
  for await (const block of createReadStream(path)) hash.update(block as Uint8Array);
  return hash.digest("hex");
}
