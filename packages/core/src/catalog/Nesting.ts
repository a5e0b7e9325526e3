/**
 * How deeply JSON is nested: what writes or compares it recurses, and a value that is too deep ends that with an overflow of the stack.
 */

/** How many levels of arrays and objects are taken by default. */
export const defaultDepth = 500

/**
 * Whether a value has more than so many levels of arrays and objects; one that contains itself has. Does not recurse, so that no depth
 * is too much for it.
 */
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
