/**
 * What `mcp-lifeline wrap` does, which hosts start once for each server: it loads nothing that the other commands need.
 */
import * as Hosted from "../hosted.js"
import type { Wrap } from "./Arguments.js"
import * as wrap from "./wrap.js"

export const run = (options: Wrap): void => Hosted.run(wrap.run(options))
