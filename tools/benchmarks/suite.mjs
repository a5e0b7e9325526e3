/** The benchmarks that `pnpm bench` runs, in its order: the quick ones first; `minutes` is about how long a round takes on a quiet machine. */

/** @typedef {{ readonly name: string, readonly minutes: number, readonly measures: string }} Benchmark */

/** @type {ReadonlyArray<Benchmark>} */
export const suite = [
  { name: "call", minutes: 0.5, measures: "what supervision adds to a call" },
  { name: "fleet", minutes: 0.5, measures: "what a fleet adds to a call and to a changed list" },
  { name: "lists", minutes: 0.2, measures: "tokens of lists that a model reads anew after a restart" },
  { name: "wrap", minutes: 1.5, measures: "what wrap costs, beside the server alone and mcp-remote" },
  { name: "install", minutes: 1, measures: "size, import time and start" },
  { name: "idle", minutes: 2.5, measures: "heap and CPU of 10,000 idle servers" },
  { name: "recovery", minutes: 8, measures: "how long faults last for a client, beside published clients" },
  {
    name: "liveness",
    minutes: 15,
    measures: "whether a server that looks dead is kept, and one that is dead replaced"
  },
  { name: "gateways", minutes: 9, measures: "the gateway beside published ones" },
  { name: "scale", minutes: 10, measures: "serve in front of 1 to 10,000 servers, used by 1 to 100 clients" },
  { name: "cluster", minutes: 5, measures: "a request that comes to another replica, and what the database does" }
]
