/**
 * Node's own text methods on bytes, with types. They work on views over shared memory, where TextDecoder refuses.
 *
 * Invariant: a view made here shares the given bytes; nothing is copied.
 */
export interface TextBuffer extends Uint8Array {
  latin1Slice(start: number, end: number): string;
  ucs2Slice(start: number, end: number): string;
  /** Invalid bytes become U+FFFD. */
  utf8Slice(start: number, end: number): string;
  latin1Write(text: string, offset: number): number;
  ucs2Write(text: string, offset: number): number;
  utf8Write(text: string, offset: number): number;
}

export function textBufferOf(bytes: Uint8Array): TextBuffer {
  const buffer = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return buffer as unknown as TextBuffer;
}
