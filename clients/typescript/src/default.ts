/** The operations with the environment of the process; the store is made at the first call. */

import type { Body } from "./body.js";
import type { ObjectRef } from "./reference.js";
import { ObjectStore, type Download, type DownloadOptions, type UploadOptions } from "./store.js";

let found: ObjectStore | undefined;

/** The store of this process's environment. */
export function defaultStore(): ObjectStore {
  found ??= ObjectStore.fromEnvironment();
  return found;
}

/** `ObjectStore.upload`. */
export function upload(bucket: string, key: string, body: Body, options?: UploadOptions): Promise<ObjectRef> {
  return defaultStore().upload(bucket, key, body, options);
}

/** `ObjectStore.download`. */
export function download(bucket: string, key: string, options?: DownloadOptions): Promise<Download> {
  return defaultStore().download(bucket, key, options);
}

/** `ObjectStore.list`. */
export function list(bucket: string, prefix?: string): AsyncGenerator<ObjectRef> {
  return defaultStore().list(bucket, prefix);
}

/** `ObjectStore.presign`. */
export function presign(bucket: string, key: string, expirySeconds: number, method?: "GET" | "PUT"): Promise<string> {
  return defaultStore().presign(bucket, key, expirySeconds, method);
}

/** `ObjectStore.deleteObject`. */
export function deleteObject(bucket: string, key: string): Promise<void> {
  return defaultStore().deleteObject(bucket, key);
}
