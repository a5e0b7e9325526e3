// What suites that run under Wine take from vitest. A suite of both sets runs there as in the slow one.
// @ts-ignore -- Suite.ts says where it is
export { assert, expect } from "chai"

export const inject = () => true
