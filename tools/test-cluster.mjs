#!/usr/bin/env node
/**
 * The tests of the cluster in their long form: real replicas, gateways, clients, servers and a PostgreSQL, which are killed, stopped and cut off
 * again and again; and the model of the leases with many generated runs. Needs Linux, and Debian's package `postgresql`.
 *
 * Usage: node tools/test-cluster.mjs [--rounds 3] [--runs 2000] [--seed 1]
 */
import { parseArgs } from "node:util"
import { run } from "./run.mjs"

const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "3" },
    runs: { type: "string", default: "2000" },
    seed: { type: "string" }
  }
})
process.env["LIFELINE_CLUSTER_ROUNDS"] = values.rounds
process.env["LIFELINE_CLUSTER_RUNS"] = values.runs
if (values.seed !== undefined) process.env["LIFELINE_CLUSTER_SEED"] = values.seed
process.exit(await run("vitest", ["run", "--project", "slow", "packages/cluster/", "ManyGateways"]))
