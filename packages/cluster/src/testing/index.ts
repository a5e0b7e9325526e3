/** A cluster in the memory of one process, for tests of programs. */
export * as MemoryStore from "./MemoryStore.js"
export * as TestCluster from "./TestCluster.js"
