/**
 * Many backends lost at once, as when a network or a host of many servers fails: how long it takes until all are back, and how many connect at
 * a time.
 *
 * `--part scripted`: the fleet of `core` alone, against what is possible. `--part http`: servers over real HTTP with a call for each, beside
 * official Clients that are made anew.
 *
 *     node benchmarks/lost.mjs [--part all|scripted|http] [--backends 1000] [--concurrency 8] [--connect 50] [--runs 3] [--json]
 */
import * as common from "./common.mjs"
import * as Http from "./lost/http.mjs"
import * as Scripted from "./lost/scripted.mjs"

const { json, part, ...options } = common.options(
  { backends: 1000, concurrency: 8, connect: 50, runs: 3 },
  { part: ["all", "scripted", "http"] }
)
/** @type {Array<common.Result>} */
const parts = []
for (const [name, { lost }] of Object.entries({ scripted: Scripted, http: Http })) {
  if (part === "all" || part === name) parts.push({ id: name, ...await lost(options) })
}
common.reportParts({ parts, json })
