/**
 * The benchmarks that `pnpm bench` runs, in its order: the quick ones first.
 */

/**
 * @typedef {object} Benchmark
 * @property {string} name what `--only` calls it: the script beside this file
 * @property {string} measures
 * @property {number} minutes about how long a round takes on a quiet machine
 * @property {ReadonlyArray<string>} quick the arguments for a round of a few seconds
 * @property {boolean} [slow] whether that takes half a minute all the same, because programs of others are installed or have to start
 */

/** @type {ReadonlyArray<Benchmark>} */
export const suite = [
  {
    name: "call",
    measures: "what supervision adds to a call",
    minutes: 0.5,
    quick: ["--rounds", "5", "--calls", "100"]
  },
  {
    name: "fleet",
    measures: "what a fleet adds to a call and to a changed list",
    minutes: 0.5,
    quick: ["--backends", "2000", "--rounds", "9", "--changes", "10"]
  },
  {
    name: "wrap",
    measures: "what wrap costs, beside the server alone and mcp-remote",
    minutes: 1.5,
    quick: ["--runs", "1", "--calls", "100", "--warm", "100"]
  },
  {
    name: "install",
    slow: true,
    measures: "size, import time and start",
    minutes: 1,
    quick: ["--runs", "1"]
  },
  {
    name: "idle",
    measures: "heap, CPU and late heartbeats of 10,000 idle servers",
    minutes: 2.5,
    quick: ["--backends", "200", "--seconds", "2", "--interval", "1"]
  },
  {
    name: "recovery",
    measures: "how long faults of servers, networks and sessions last for a client, beside published clients",
    minutes: 8,
    quick: [
      "--runs",
      "1",
      "--clients",
      "official-v1,lifeline",
      "--faults",
      "crash-in-call,session-404",
      "--within",
      "4"
    ]
  },
  {
    name: "liveness",
    slow: true,
    measures: "which servers that look dead are kept, and which that are dead are replaced, at each door",
    minutes: 15,
    quick: ["--only", "frozen", "--clients", "connect,renewed"]
  },
  {
    name: "gateways",
    slow: true,
    measures: "the gateway beside published ones",
    minutes: 9,
    quick: ["--part", "calls", "--rounds", "1", "--calls", "30", "--many", "200", "--within", "3"]
  },
  {
    name: "scale",
    measures: "serve in front of 1 to 10,000 servers, used by 1 to 100 clients",
    minutes: 10,
    quick: ["--backends", "10", "--seconds", "0.5"]
  },
  {
    name: "cluster",
    slow: true,
    measures: "what it costs that a request comes to another replica, and what the database has to do",
    minutes: 5,
    quick: ["--part", "hop", "--rounds", "1", "--calls", "30", "--many", "100"]
  }
]
