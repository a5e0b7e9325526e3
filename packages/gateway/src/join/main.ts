/**
 * What `mcp-lifeline serve --stdio` does, which hosts start: all of them, and all of their windows, share one gateway.
 */
import { Effect } from "effect"
import * as Hosted from "../hosted.js"
import * as Wrap from "../wrap/wrap.js"
import type { Options } from "./Background.js"
import * as connector from "./connector.js"

export const run = (options: Options): void =>
  Hosted.run(
    Effect.flatMap(
      connector.make(options),
      (connector) => Wrap.serve({ name: "lifeline", server: { gateway: options.file }, connector })
    )
  )
