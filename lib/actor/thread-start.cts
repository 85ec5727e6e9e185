/**
 * What piscina loads on every thread: imports the pool's module, and calls its default export.
 *
 * Invariant: this file is CommonJS and requires nothing. piscina `require`s its file first, and where a thread is ended while
 * an ES module is being required, Node 20 aborts the whole process ("IsGraphAsync must be used on an instantiated module"; seen in
 * one of some hundred threads that were ended while they started). An import may be ended at any time.
 */
module.exports = async ({ url, task }: { readonly url: string; readonly task: unknown }): Promise<unknown> => {
  const loaded = (await import(url)) as { readonly default: (task: unknown) => unknown };
  return loaded.default(task);
};
