import { type Socket, connect } from 'node:net'
import { once } from 'node:events'
import { Stop } from '../command.ts'

export interface HttpAnswer {
  status: number
  body: string
}

/**
 * A keep-alive connection that carries one request at a time. It knows as much of HTTP as the measured Workers speak,
 * because whatever the client computes is taken from a machine with few cores.
 */
export class HttpConnection {
  readonly #socket: Socket
  #received = ''
  #waiting: PromiseWithResolvers<HttpAnswer> | undefined

  private constructor(socket: Socket) {
    this.#socket = socket
    // One character for each byte, as `Content-Length` counts.
    socket.setEncoding('latin1').setNoDelay()
    socket.on('data', (text: string) => this.#read(text))
    socket.on('error', (error) => this.#fail(error))
    socket.on('close', () => this.#fail(new Stop('The Worker closed the connection.')))
  }

  static async open(port: number): Promise<HttpConnection> {
    const socket = connect(port, '127.0.0.1')
    await once(socket, 'connect')
    return new HttpConnection(socket)
  }

  /** @param request the text of the request, with its headers and its body */
  send(request: string): Promise<HttpAnswer> {
    this.#waiting = Promise.withResolvers()
    this.#socket.write(request, 'latin1')
    return this.#waiting.promise
  }

  close(): void {
    this.#waiting = undefined
    this.#socket.destroy()
  }

  #read(text: string): void {
    this.#received += text
    const answer = readAnswer(this.#received)
    if (answer === 'part') return
    this.#received = ''
    if (answer === 'unreadable') return this.#fail(new Stop('An answer has no Content-Length.'))
    const waiting = this.#waiting
    this.#waiting = undefined
    waiting?.resolve(answer)
  }

  #fail(error: Error): void {
    this.#waiting?.reject(error)
    this.#waiting = undefined
  }
}

const statusAt = 'HTTP/1.1 '.length
const blankLine = '\r\n\r\n'

function readAnswer(text: string): HttpAnswer | 'part' | 'unreadable' {
  const end = text.indexOf(blankLine)
  if (end < 0) return 'part'
  const status = Number(text.slice(statusAt, statusAt + 3))
  const length = status === 204 ? 0 : Number(/\r\ncontent-length: *(\d+)/i.exec(text.slice(0, end))?.[1])
  if (Number.isNaN(length)) return 'unreadable'
  const start = end + blankLine.length
  return text.length < start + length ? 'part' : { status, body: text.slice(start) }
}
