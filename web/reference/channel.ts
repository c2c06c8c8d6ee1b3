/** What the API reference and the viewer in its frame say to each other. */

/** A call that the viewer wants to make. */
export interface Ask {
  number: number
  url: string
  method: string
  headers: [string, string][]
  body: string | null
}

/** Its answer; without a status when there was none. */
export type Told =
  | { number: number; status: number; statusText: string; headers: [string, string][]; text: string }
  | { number: number; status: null }

interface Opening {
  description: object
}

/** The frame says that it waits for its port, and then that it shows the description or that a file is missing. */
type News = 'ready' | 'shown' | 'lost'

/** In the frame. */
export function tell(news: News): void {
  parent.postMessage(news, '*')
}

/** In the frame: waits for the port and the description, which come from the page around it only. */
export async function openPort(): Promise<Opening & { port: MessagePort }> {
  return new Promise((resolve) => {
    addEventListener('message', function open({ source, data, ports }: MessageEvent<Opening>) {
      const [port] = ports
      if (source !== parent || !port) return
      removeEventListener('message', open)
      resolve({ ...data, port })
    })
    tell('ready')
  })
}

/** How long after it has loaded a frame may say nothing. Its script runs before that, if it is there. */
const silenceMs = 2_000

/**
 * In the page: makes the calls of its frame. Only to the page's own origin, and without credentials: the browser neither
 * sends nor keeps a cookie, so a call of the frame can do no more than one of any other program.
 *
 * @returns when the frame shows the description
 * @throws {Error} when a file of the frame is missing
 */
export function serveFrame(frame: HTMLIFrameElement, description: object): Promise<void> {
  return new Promise((resolve, reject) => {
    let isReady = false
    const giveUp = () => reject(new Error('the frame lacks a file'))
    frame.addEventListener('load', () => setTimeout(() => isReady || giveUp(), silenceMs))
    addEventListener('message', ({ source, data }: MessageEvent<News>) => {
      if (source !== frame.contentWindow) return
      if (data === 'shown') resolve()
      if (data === 'lost') giveUp()
      if (data === 'ready' && !isReady) {
        isReady = true
        openFrame(frame, description)
      }
    })
  })
}

function openFrame(frame: HTMLIFrameElement, description: object): void {
  const { port1: own, port2: other } = new MessageChannel()
  own.addEventListener('message', ({ data }: MessageEvent<Ask>) => void answer(own, data))
  own.start()
  // The frame has an opaque origin, which cannot be named. It is this page's own document that said that it is ready.
  frame.contentWindow?.postMessage({ description } satisfies Opening, '*', [other])
}

async function answer(port: MessagePort, ask: Ask): Promise<void> {
  const told = await make(ask)
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a port has none
  port.postMessage(told)
}

async function make({ number, url, method, headers, body }: Ask): Promise<Told> {
  try {
    const target = new URL(url, location.origin)
    if (target.origin !== location.origin) return { number, status: null }
    const answer = await fetch(target, { method, headers, body, credentials: 'omit', referrerPolicy: 'no-referrer' })
    const { status, statusText } = answer
    return { number, status, statusText, headers: [...answer.headers], text: await answer.text() }
  } catch {
    return { number, status: null }
  }
}
