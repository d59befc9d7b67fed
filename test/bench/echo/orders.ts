/** What the echo program is asked to open; it answers with the port. */
export interface EchoOrder {
  readonly open: 'tcp-sink' | 'http' | 'grpc';
}
