/**
 * Which content types and user metadata are accepted: what every S3 server returns unchanged
 * (`object_store/metadata.py`, `object_store/content_type.py`).
 */

import { InvalidContentType, InvalidMetadata, shown } from "./errors.js";

const MAX_BYTES = 2048;
const NAME = /^[a-z0-9]([a-z0-9-]*[a-z0-9])?$/;
const HEADER = /^[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?$/;
const MEDIA_TYPE = /^[A-Za-z0-9!#$&^_.+-]{1,127}\/[A-Za-z0-9!#$&^_.+-]{1,127}(\s*;[\x20-\x7e]*)?$/;
const LEGAL =
  "legal: names of a-z, 0-9 and '-', values of printable ASCII without spaces at the ends, " +
  `together at most ${MAX_BYTES} bytes`;

/** The content types of the suffixes that producers use; a test compares them with those of the Python adapter. */
const TYPES: Readonly<Record<string, string>> = {
  aac: "audio/aac",
  bz2: "application/x-bzip2",
  css: "text/css",
  csv: "text/csv",
  epub: "application/epub+zip",
  gif: "image/gif",
  gz: "application/gzip",
  html: "text/html",
  jpeg: "image/jpeg",
  jpg: "image/jpeg",
  json: "application/json",
  jsonl: "application/x-ndjson",
  log: "text/plain",
  m4a: "audio/mp4",
  md: "text/markdown",
  mkv: "video/matroska",
  mov: "video/quicktime",
  mp3: "audio/mpeg",
  mp4: "video/mp4",
  ndjson: "application/x-ndjson",
  opus: "audio/opus",
  pdf: "application/pdf",
  png: "image/png",
  svg: "image/svg+xml",
  tar: "application/x-tar",
  tgz: "application/gzip",
  txt: "text/plain",
  vtt: "text/vtt",
  wav: "audio/x-wav",
  webm: "video/webm",
  webp: "image/webp",
  xml: "text/xml",
  xz: "application/x-xz",
  yaml: "application/yaml",
  yml: "application/yaml",
  zip: "application/zip",
  zst: "application/zstd",
};

/** The content type of a key by its last suffix; `application/octet-stream` for one that the table lacks. */
export function guessContentType(key: string): string {
  const name = key.slice(key.lastIndexOf("/") + 1).replace(/^\.+/, "");
  const dot = name.lastIndexOf(".");
  return (dot > 0 && TYPES[name.slice(dot + 1).toLowerCase()]) || "application/octet-stream";
}

/** The content type if a header can hold it. Throws InvalidContentType. */
export function checkContentType(bucket: string, key: string, contentType: string): string {
  if (typeof contentType !== "string" || !HEADER.test(contentType) || !MEDIA_TYPE.test(contentType)) {
    throw new InvalidContentType(
      `${shown(contentType)} is not a content type; legal: type/subtype with optional parameters, such as ` +
        "'text/plain; charset=utf-8', or none to guess it from the key",
      { bucket, key },
    );
  }
  return contentType;
}

/** A copy of the metadata. Throws InvalidMetadata if it would not come back unchanged. */
export function checkMetadata(
  bucket: string,
  key: string,
  metadata: Readonly<Record<string, string>>,
): Record<string, string> {
  let size = 0;
  for (const [name, value] of Object.entries(metadata)) {
    if (!NAME.test(name)) {
      throw new InvalidMetadata(`${shown(name)} is not a valid metadata name; ${LEGAL}`, { bucket, key });
    }
    if (typeof value !== "string" || !HEADER.test(value)) {
      throw new InvalidMetadata(
        `the value of metadata ${shown(name)} holds a character that is not printable ASCII, or a space at an end; ${LEGAL}`,
        { bucket, key },
      );
    }
    size += name.length + value.length;
  }
  if (size > MAX_BYTES) throw new InvalidMetadata(`the metadata has ${size} bytes; ${LEGAL}`, { bucket, key });
  return { ...metadata };
}
