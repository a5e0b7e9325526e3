/**
 * Each edit has an exact inverse: the inverses of the edits that wrap a server unwrap it.
 */
import { Schema } from "effect"
import * as Value from "../document/Value.js"

const Text = Schema.Record({ key: Schema.String, value: Schema.String })
const Data: Schema.Schema<Value.Data> = Schema.Union(
  Schema.String,
  Schema.Boolean,
  Schema.Array(Schema.String),
  Schema.Record({ key: Schema.String, value: Schema.Union(Schema.String, Text) })
)
/** From the entry to the table or list to change. */
const path = Schema.Array(Schema.String)

const Replace = Schema.TaggedStruct("Replace", { path, from: Data, to: Data })
/** The value stays as it is written. */
const Rename = Schema.TaggedStruct("Rename", { path, from: Schema.String, to: Schema.String })
/** Items in front of those of a list. `at`: how many of the list's items stay in front of them; none without it. */
const items = {
  path,
  at: Schema.optionalWith(Schema.Number, { exact: true }),
  items: Schema.Array(Schema.String)
}
const Prepend = Schema.TaggedStruct("Prepend", items)
const Unprepend = Schema.TaggedStruct("Unprepend", items)
/** `after`: the key before it; none in an empty table. */
const pair = { path, after: Schema.UndefinedOr(Schema.String), key: Schema.String, value: Data }
const Insert = Schema.TaggedStruct("Insert", { ...pair, after: Schema.optionalWith(Schema.String, { exact: true }) })
const Remove = Schema.TaggedStruct("Remove", { ...pair, after: Schema.optionalWith(Schema.String, { exact: true }) })

export const Edit = Schema.Union(Replace, Rename, Prepend, Unprepend, Insert, Remove)
export type Edit = typeof Edit.Type

export const inverse = (edit: Edit): Edit => {
  switch (edit._tag) {
    case "Replace":
      return { ...edit, from: edit.to, to: edit.from }
    case "Rename":
      return { ...edit, from: edit.to, to: edit.from }
    case "Prepend":
      return { ...edit, _tag: "Unprepend" }
    case "Unprepend":
      return { ...edit, _tag: "Prepend" }
    case "Insert":
      return { ...edit, _tag: "Remove" }
    case "Remove":
      return { ...edit, _tag: "Insert" }
  }
}

/** In the order in which to apply them. */
export const inverses = (edits: ReadonlyArray<Edit>): ReadonlyArray<Edit> => edits.toReversed().map(inverse)

/** The value is not the one that the edit expects. */
export class Mismatch extends Error {}

const mismatch = (): never => {
  throw new Mismatch("it was changed since")
}

const change = (
  value: Value.Value | undefined,
  [step, ...rest]: Value.Path,
  f: (at: Value.Value) => Value.Value
): Value.Value => {
  if (value === undefined) return mismatch()
  if (step === undefined) return f(value)
  if (typeof step === "number") {
    if (!Value.isList(value)) return mismatch()
    return value.map((item, index) => index === step ? change(item, rest, f) : item)
  }
  if (!Value.isTable(value) || !value.has(step)) return mismatch()
  return new Map([...value].map(([key, one]) => [key, key === step ? change(one, rest, f) : one]))
}

const table = (value: Value.Value): Value.Table => Value.isTable(value) ? value : mismatch()
const list = (value: Value.Value): ReadonlyArray<Value.Value> => Value.isList(value) ? value : mismatch()

/** The value is not the one that the edit expects. */
export const apply = (root: Value.Value, entry: Value.Path, edit: Edit): Value.Value =>
  change(root, [...entry, ...edit.path], (value) => {
    switch (edit._tag) {
      case "Replace":
        return Value.equal(value, Value.from(edit.from)) ? Value.from(edit.to) : mismatch()
      case "Rename":
        if (!table(value).has(edit.from) || table(value).has(edit.to)) return mismatch()
        return new Map([...table(value)].map(([key, one]) => [key === edit.from ? edit.to : key, one]))
      case "Prepend":
        return list(value).length < (edit.at ?? 0) ? mismatch() : list(value).toSpliced(edit.at ?? 0, 0, ...edit.items)
      case "Unprepend": {
        const { at = 0, items } = edit
        if (!items.every((item, index) => list(value)[at + index] === item)) return mismatch()
        return list(value).toSpliced(at, items.length)
      }
      case "Insert": {
        const before = [...table(value)]
        const place = edit.after === undefined ? 0 : before.findIndex(([key]) => key === edit.after) + 1
        if (table(value).has(edit.key) || (edit.after !== undefined && place === 0)) return mismatch()
        return new Map([...before.slice(0, place), [edit.key, Value.from(edit.value)], ...before.slice(place)])
      }
      case "Remove":
        if (!Value.equal(table(value).get(edit.key), Value.from(edit.value))) return mismatch()
        return new Map([...table(value)].filter(([key]) => key !== edit.key))
    }
  })
