/** The events that carry references. Written by `npm run events` from `schemas/events`; do not edit. */

/**
 * The data of each event by its name.
 */
export interface EventDataByName {
  "discovery/captured": DiscoveryCaptured;
  "docs/ingest.completed": DocsIngestCompleted;
  "docs/ingest.requested": DocsIngestRequested;
  "docs/reindex-v2.requested": DocsReindexV2Requested;
  "media/processed": MediaProcessed;
  "media/received": MediaReceived;
  "pipeline/book.downloaded": PipelineBookDownloaded;
  "pipeline/transcript.processed": PipelineTranscriptProcessed;
  "pipeline/transcript.requested": PipelineTranscriptRequested;
  "pipeline/video.downloaded": PipelineVideoDownloaded;
}
/**
 * `discovery/captured`: a note was made of a discovery.
 */
export interface DiscoveryCaptured {
  vaultPath: string;
  topic: string;
  slug: string;
  site: string;
  visibility: string;
  finalLink: string;
  url?: string | null;
  title?: string | null;
  tags?: string[] | null;
  captureStatus?: string | null;
  degradedReason?: string | null;
  rawRef?: Reference;
  extractRef?: Reference;
  [k: string]: unknown;
}
/**
 * A reference as events carry it: none of the five names is missing.
 *
 * Attributes:
 *     content_type: `contentType` in JSON.
 */
export interface Reference {
  bucket: string;
  key: string;
  etag: string;
  size: number;
  contentType: string;
}
/**
 * `docs/ingest.completed`: a document was read in.
 */
export interface DocsIngestCompleted {
  docId: string;
  title: string;
  storageCategory: string;
  primaryConceptId: string;
  conceptIds: string[];
  taxonomyVersion: string;
  chunksIndexed: number;
  sectionChunks: number;
  snippetChunks: number;
  nasPath?: string | null;
  objectRef?: Reference;
  [k: string]: unknown;
}
/**
 * `docs/ingest.requested`: a document is to be read in.
 */
export interface DocsIngestRequested {
  nasPath?: string | null;
  filePath?: string | null;
  title?: string | null;
  tags?: string[] | null;
  storageCategory?: string | null;
  sourceHost?: string | null;
  idempotencyKey?: string | null;
  objectRef?: Reference;
  [k: string]: unknown;
}
/**
 * `docs/reindex-v2.requested`: a document is to be indexed again.
 */
export interface DocsReindexV2Requested {
  docId?: string | null;
  title?: string | null;
  skipExistingArtifacts?: boolean | null;
  nasPath?: string | null;
  objectRef?: Reference;
  [k: string]: unknown;
}
/**
 * `media/processed`: a file of a chat was described or transcribed, and stored.
 */
export interface MediaProcessed {
  source: string;
  type: string;
  localPath?: string | null;
  description?: string | null;
  transcript?: string | null;
  archivePath?: string | null;
  originSession?: string | null;
  objectRef?: Reference;
  [k: string]: unknown;
}
/**
 * `media/received`: a file came in a chat.
 */
export interface MediaReceived {
  source: string;
  type: string;
  mimeType: string;
  fileSize: number;
  localPath?: string | null;
  fileName?: string | null;
  caption?: string | null;
  originSession?: string | null;
  metadata?: {
    [k: string]: unknown;
  } | null;
  objectRef?: Reference;
  [k: string]: unknown;
}
/**
 * `pipeline/book.downloaded`: a book is stored.
 */
export interface PipelineBookDownloaded {
  title: string;
  author?: string | null;
  nasPath?: string | null;
  md5?: string | null;
  query?: string | null;
  reason?: string | null;
  format?: string | null;
  outputDir?: string | null;
  selectedBy?: string | null;
  tags?: string[] | null;
  objectRef?: Reference;
  [k: string]: unknown;
}
/**
 * `pipeline/transcript.processed`: a note was made of a transcript.
 */
export interface PipelineTranscriptProcessed {
  vaultPath: string;
  title: string;
  slug: string;
  source: string;
  transcriptRef?: Reference;
  [k: string]: unknown;
}
/**
 * `pipeline/transcript.requested`: something is to be transcribed.
 */
export interface PipelineTranscriptRequested {
  source: string;
  title: string;
  slug: string;
  audioPath?: string | null;
  text?: string | null;
  channel?: string | null;
  publishedDate?: string | null;
  duration?: number | null;
  sourceUrl?: string | null;
  nasPath?: string | null;
  tmpDir?: string | null;
  screenshots?: {
    [k: string]: unknown;
  } | null;
  objectRef?: Reference;
  [k: string]: unknown;
}
/**
 * `pipeline/video.downloaded`: a video is stored.
 */
export interface PipelineVideoDownloaded {
  slug: string;
  title: string;
  channel: string;
  duration: number;
  sourceUrl: string;
  publishedDate: string;
  nasPath?: string | null;
  tmpDir?: string | null;
  objectRef?: Reference;
  infoRef?: Reference;
  thumbnailRef?: Reference;
  manifestRef?: Reference;
  [k: string]: unknown;
}
