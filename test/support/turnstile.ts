/** Cloudflare's siteverify as the tests see it, and widgets that give tokens. */
import { vi } from 'vitest'

export const turnstileEnv: Partial<Env> = {
  TURNSTILE_SITE_KEY: '0x4AAA-site',
  TURNSTILE_SECRET: '0x4AAA-canary-secret',
  TURNSTILE_URL: 'https://turnstile.test/siteverify',
}

/** What a solved challenge tells; the site and the form are those of the service. */
export interface Solved {
  hostname?: string
  action?: string
}

export interface Question {
  method: string
  url: string
  /** What is done about a redirect, which would take the secret along. */
  redirect: string
  body: Record<string, unknown>
}

type Respond = (token: string, signal: AbortSignal) => Response | Promise<Response>

/** From now on siteverify answers like this. Call it when the services have started. Gives what it was asked. */
export function scriptTurnstile(respond: Respond): Question[] {
  const elsewhere = vi.mocked(globalThis.fetch).getMockImplementation()!
  const questions: Question[] = []
  vi.mocked(globalThis.fetch).mockImplementation(async (input, init) => {
    const request = new Request(input, init)
    if (request.url !== turnstileEnv.TURNSTILE_URL) return elsewhere(input, init)
    const body = await request.clone().json<Record<string, unknown>>()
    questions.push({ method: request.method, url: request.url, redirect: request.redirect, body })
    return respond(String(body['response']), init!.signal!)
  })
  return questions
}

/** A siteverify that takes each token once, as Cloudflare does, and what its widget gives for a solved challenge. */
export function startTurnstile() {
  const tokens = new Map<string, Solved>()
  const questions = scriptTurnstile((token) => {
    const solved = tokens.get(token)
    tokens.delete(token)
    return Response.json(
      solved
        ? { success: true, 'error-codes': [], challenge_ts: new Date().toISOString(), ...solved }
        : { success: false, 'error-codes': ['invalid-input-response'] },
    )
  })
  return {
    questions,
    solve: (solved: Solved = {}): string => {
      const token = crypto.randomUUID()
      tokens.set(token, { hostname: 'accounts.example.com', ...solved })
      return token
    },
  }
}
