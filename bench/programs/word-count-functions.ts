/**
 * The functions of the word count: the same closures for Millrace's programs and for the bare loop.
 */
export type WordCount = readonly [word: string, count: number];

export const lineToWords = (line: string): string[] => line.split(' ');
export const wordToPair = (word: string): [string, number] => [word, 1];
export const addCounts = (a: number, b: number): number => a + b;
export const subtractCounts = (a: number, b: number): number => a - b;

/** The most frequent words, by a heap of `size`. Stamps (`t` and 16 digits) are no words. */
export function topWords(counts: Iterable<WordCount>, size = 10): WordCount[] {
  // heap[0] is the least frequent of the most frequent; children of i are 2i + 1 and 2i + 2.
  const heap: WordCount[] = [];
  for (const pair of counts) {
    if (isStamp(pair[0])) continue;
    if (heap.length < size) {
      heap.push(pair);
      siftUp(heap);
    } else if (pair[1] > heap[0]![1]) {
      heap[0] = pair;
      siftDown(heap);
    }
  }
  return heap.sort((a, b) => b[1] - a[1]);
}

export function isStamp(word: string): boolean {
  return word.charCodeAt(0) === 0x74;
}

function siftUp(heap: WordCount[]): void {
  let index = heap.length - 1;
  while (index > 0) {
    const parent = (index - 1) >> 1;
    if (heap[parent]![1] <= heap[index]![1]) return;
    [heap[parent], heap[index]] = [heap[index]!, heap[parent]!];
    index = parent;
  }
}

function siftDown(heap: WordCount[]): void {
  let index = 0;
  for (;;) {
    const left = 2 * index + 1;
    if (left >= heap.length) return;
    const right = left + 1;
    const child = right < heap.length && heap[right]![1] < heap[left]![1] ? right : left;
    if (heap[index]![1] <= heap[child]![1]) return;
    [heap[index], heap[child]] = [heap[child]!, heap[index]!];
    index = child;
  }
}
