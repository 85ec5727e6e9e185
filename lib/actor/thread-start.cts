/**
 * What piscina loads on every thread: imports the pool's module at once, and calls its default export with each task.
 *
 * At once, since that takes longer than all else that the thread and its parent have to tell each other before the first task comes.
 *
 * Invariant: this file is CommonJS and requires nothing but what is in Node. piscina `require`s its file first, and where a thread is ended while
 * an ES module is being required, Node 20 aborts the whole process ("IsGraphAsync must be used on an instantiated module"; seen in
 * one of some hundred threads that were ended while they started). An import may be ended at any time.
 */
const { workerData: url } = require('node:worker_threads') as { readonly workerData: string };

const loading = import(url) as Promise<{ readonly default: (task: unknown) => unknown }>;
// A task tells it, when it comes.
loading.catch(() => {});

module.exports = async (task: unknown): Promise<unknown> => (await loading).default(task);
