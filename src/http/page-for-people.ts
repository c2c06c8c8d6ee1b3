import type { Context } from 'hono'
import { matchedRoutes } from 'hono/route'
import type { ProblemCode } from '../problems.ts'
import { prefersPage } from './accept.ts'
import type { HttpEnv } from './env.ts'

/** The problems that a person can meet at an address outside of the API. Each has a page in `dist/errors`. */
const problemsWithPage: readonly ProblemCode[] = [
  'not_found',
  'method_not_allowed',
  'internal_error',
  'service_unavailable',
]

/** Addresses that programs know only to lead people there. */
const pathsForPeople: readonly string[] = ['/.well-known/change-password']

/**
 * Replaces a problem by a page, if a person asked: a GET from a browser for an address that is no GET of the API. The
 * API itself answers problems whatever is asked for, since some HTTP libraries name `text/html` by default.
 */
export async function pageInstead(c: Context<HttpEnv>, code: ProblemCode, problem: Response): Promise<Response> {
  if (!isPageAddress(c) || !problemsWithPage.includes(code)) return problem
  problem.headers.append('Vary', 'Accept')
  if (!prefersPage(c.req.header('Accept'))) return problem
  const page = await readPage(c, code)
  if (!page) return problem
  const headers = new Headers(problem.headers)
  for (const name of ['Content-Type', 'Content-Security-Policy']) headers.set(name, page.headers.get(name) ?? '')
  return new Response(page.body, { status: problem.status, headers })
}

function isPageAddress(c: Context<HttpEnv>): boolean {
  if (!['GET', 'HEAD'].includes(c.req.method)) return false
  const isOfApi = matchedRoutes(c).some(({ method }) => method === 'GET')
  return !isOfApi || pathsForPeople.includes(c.req.path)
}

/** `undefined` when the page cannot be read: the problem says the same. */
async function readPage(c: Context<HttpEnv>, code: ProblemCode): Promise<Response | undefined> {
  try {
    const page = await c.env.ASSETS.fetch(new Request(new URL(`/errors/${code}`, c.req.url)))
    return page.ok && page.headers.get('Content-Type')?.startsWith('text/html') ? page : undefined
  } catch {
    return undefined
  }
}
