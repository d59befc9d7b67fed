export type { Backend, MemberSample, ShardSample } from './backend.ts';
export type { GrpcServerOptions, RunningGrpcServer } from './grpc/server.ts';
export { startGrpcServer } from './grpc/server.ts';
export type { HttpServerOptions, RunningHttpServer } from './http/server.ts';
export { startHttpServer } from './http/server.ts';
export { metricsText } from './metrics.ts';
