/** Values for the examples of headers and problems. Those of calls are recorded (recorded.ts). */
export const ids = {
  ada: '01a2048f-08e0-7a41-9c55-2f8d6e01b7aa',
  session: '01a2048f-10b0-7c19-8e2b-51d90cc3f4e6',
}

export const requestId = 'b3f1c0de-5a6b-4c7d-8e9f-0a1b2c3d4e5f'
