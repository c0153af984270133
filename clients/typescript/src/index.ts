/** What the package offers; import it, not its modules. */

export { MAX_BODY_BYTES, PART_SIZE, type Body } from "./body.js";
export { configFromEnvironment, type StoreConfig } from "./config.js";
export { defaultStore, deleteObject, download, list, presign, upload } from "./default.js";
export * from "./errors.js";
export { parseReference, type ObjectRef } from "./reference.js";
export { ObjectStore, type Download, type DownloadOptions, type UploadOptions } from "./store.js";
export type * from "./events.js";
export type { Events } from "./inngest.js";
