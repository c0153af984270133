/** Limits of time, size and tries; tests shorten them. */
export interface Limits {
  readonly connectMilliseconds?: number;
  readonly stallMilliseconds?: number;
  readonly attempts?: number;
  /** Length in bytes up to which one request sends the whole body. */
  readonly multipartThreshold?: number;
}
