import { expect, it } from "vitest"
import { BoundedNames } from "../src/BoundedNames.js"

it("[X3:unit X5:unit] metrics have so many names, none of which is long or controls a terminal", () => {
  const names = new BoundedNames()
  expect(names.of("x".repeat(1025))).toBe("_OTHER")
  for (let number = 0; number < 1000; number++) expect(names.of(`${number}`)).toBe(`${number}`)
  expect(names.of("\u001B[31m7\u0007\u202E")).toBe("7")
  expect([names.of("one more"), names.of("7"), names.of("x".repeat(1024))]).toEqual(["_OTHER", "7", "_OTHER"])
})
