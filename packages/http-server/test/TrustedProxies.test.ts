import type { BlockList } from "node:net"
import { describe, expect, it } from "vitest"
import * as TrustedProxies from "../src/TrustedProxies.js"

const has = (text: string, address: string): boolean =>
  (TrustedProxies.parse(text) as BlockList).check(address, address.includes(":") ? "ipv6" : "ipv4")

describe("the proxies that are trusted", () => {
  it.each<[list: string, inside: ReadonlyArray<string>, outside: ReadonlyArray<string>]>([
    ["192.0.2.7", ["192.0.2.7", "::ffff:192.0.2.7"], ["192.0.2.6", "192.0.2.8", "::1"]],
    ["10.0.0.0/8", ["10.0.0.0", "10.255.255.255"], ["9.255.255.255", "11.0.0.0"]],
    ["192.0.2.4/31", ["192.0.2.4", "192.0.2.5"], ["192.0.2.3", "192.0.2.6"]],
    ["192.0.2.4/32", ["192.0.2.4"], ["192.0.2.5"]],
    ["128.0.0.0/1", ["128.0.0.0", "255.0.0.1"], ["127.255.255.255"]],
    ["2001:db8::1", ["2001:db8::1"], ["2001:db8::", "2001:db8::2"]],
    ["2001:db8::/32", ["2001:db8::", "2001:db8:ffff::1"], ["2001:db7::1", "2001:db9::1"]],
    ["2001:db8::2/127", ["2001:db8::2", "2001:db8::3"], ["2001:db8::1", "2001:db8::4"]],
    ["::/96", ["::1"], ["::1:0:0:1", "1.2.3.4", "::ffff:1.2.3.4"]],
    ["::ffff:128.0.0.0/97", ["128.0.0.1"], ["127.0.0.1"]],
    [" 127.0.0.1 ,\t10.0.0.0/8 , ::1", ["127.0.0.1", "10.1.1.1", "::1"], ["127.0.0.2", "::2"]]
  ])("[G26:unit] are those of %j, and no others", (list, inside, outside) => {
    expect(inside.filter((address) => !has(list, address))).toEqual([])
    expect(outside.filter((address) => has(list, address))).toEqual([])
  })

  it.each([
    ...["0.0.0.0/0", "10.0.0.0/0", "10.0.0.0/00", "::/0", "::ffff:0:0/96", "::ffff:1.2.3.4/96", "::fffe:0:0/95"],
    ...["::/80", "::1,0.0.0.0/0"]
  ])(
    "[G26:unit] are not everybody: %s",
    (list) => expect(TrustedProxies.parse(list)).toMatch(/not everybody's: [\d.:a-f]+\/\d+$/)
  )
})
