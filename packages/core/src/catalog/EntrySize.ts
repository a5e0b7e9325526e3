/** About how much memory a value of a server takes. */
import { Predicate } from "effect"
import { Bytes } from "../internal/Bytes.js"

/** Bytes of each value beside its texts, so that many small ones count. */
const ofEach = { object: 64, other: 16 }

/** A byte for each character: most are Latin. */
export const ofText = (text: string): Bytes => Bytes(text.length)

/** Not recursive. */
export const of = (value: unknown): Bytes => {
  let size = 0
  const left = [value]
  while (left.length > 0) {
    const one = left.pop()
    size += typeof one === "object" && one !== null ? ofEach.object : ofEach.other
    if (typeof one === "string") size += one.length
    else if (Array.isArray(one)) { for (const inner of one) left.push(inner) }
    else if (Predicate.isRecord(one)) {
      for (const key of Object.keys(one)) {
        size += key.length
        left.push(one[key])
      }
    }
  }
  return Bytes(size)
}
