/** Functions that write or compare JSON are recursive: a value nested too deeply overflows the stack. */

export const defaultDepth = 500

/** True for a value that contains itself. Not recursive. */
export const isDeeper = (value: unknown, levels: number): boolean => {
  if (!isNested(value)) return false
  let level: Array<object> = [value]
  for (let depth = 1; level.length > 0; depth++) {
    if (depth > levels) return true
    const next: Array<object> = []
    for (const one of level) {
      for (const inner of Array.isArray(one) ? one as Array<unknown> : Object.values(one)) {
        if (isNested(inner)) next.push(inner)
      }
    }
    level = next
  }
  return false
}

const isNested = (value: unknown): value is object => typeof value === "object" && value !== null
