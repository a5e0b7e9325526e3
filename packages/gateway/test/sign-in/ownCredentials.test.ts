import { expect, it } from "vitest"
import * as OwnCredentials from "../../src/sign-in/ownCredentials.js"

it("[A1] a configuration has credentials where it has an Authorization header or userinfo, and may have with any other header", () => {
  const of = (url: string, ...headers: ReadonlyArray<string>) => OwnCredentials.of(url, headers)
  expect(of("https://a.example/mcp")).toBe("none")
  expect(of("https://a.example/mcp", "X-API-Key")).toBe("possible")
  expect(of("https://a.example/mcp", "X-Team", "AUTHORIZATION")).toBe("certain")
  for (const user of ["user", ":secret", "user:secret"]) expect(of(`https://${user}@a.example/mcp`)).toBe("certain")
  expect(of("no address")).toBe("certain")
})
