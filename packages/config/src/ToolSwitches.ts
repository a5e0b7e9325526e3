/**
 * Switches of opencode, in `tools` at the top of its file: patterns of `<server>_<tool>`, with `false` for off. Of those that match, the
 * longest counts.
 */
import { ListFilter } from "@mcp-lifeline/extensions/internal"
import { Predicate, Record } from "effect"

export type ToolSwitches = Readonly<Record<string, boolean>>

export const split = (tools: unknown): { readonly switches: ToolSwitches; readonly rest: unknown } => {
  if (!Predicate.isRecord(tools)) return { switches: {}, rest: tools }
  const [rest, switches] = Record.partition(tools, Predicate.isBoolean)
  return { switches, rest: Record.isEmptyRecord(rest) && !Record.isEmptyRecord(switches) ? undefined : rest }
}

/** What may follow `text` in what a pattern matches: a pattern for each way. */
const after = (pattern: string, text: string): ReadonlyArray<string> => {
  /** A star may match nothing. */
  const skipping = (positions: Iterable<number>): ReadonlySet<number> => {
    const all = new Set(positions)
    for (const position of all) if (pattern[position] === "*") all.add(position + 1)
    return all
  }
  let positions = skipping([0])
  for (const character of text) {
    positions = skipping([...positions].flatMap((position) => {
      const expected = pattern[position]
      if (expected === "*") return [position]
      return expected !== undefined && (expected === "?" || expected === character) ? [position + 1] : []
    }))
  }
  return Array.from(positions, (position) => pattern.slice(position)).filter((rest) => rest !== "")
}

/** A longer pattern matches no tool's name. */
const longest = 1000

/** An item of `hide` for each switch that is off. */
export const hidden = (switches: ToolSwitches, server: string): ReadonlyArray<string> => {
  // opencode replaces each other character by `_`.
  const prefix = `${server.replaceAll(/[^\w-]/g, "_")}_`
  const known = Object.entries(switches).filter(([pattern]) => pattern.length <= longest).map(([pattern, isOn]) => ({
    pattern,
    isOn,
    readings: after(pattern, prefix)
  })).filter(({ readings }) => readings.length > 0)
  return known.filter(({ isOn }) => !isOn).map(({ pattern, readings }) =>
    ListFilter.meaning(pattern, {
      readings,
      except: known.filter((one) => one.isOn && isLonger(one.pattern, pattern)).flatMap((one) => one.readings),
      // Otherwise it may be about other servers.
      ...(pattern.startsWith(prefix) ? {} : { isForAll: true })
    })
  )
}

/** Of equal length, the later in the alphabet counts. */
const isLonger = (one: string, other: string): boolean =>
  one.length === other.length ? one > other : one.length > other.length
