/** The gRPC door by itself, for those who serve or drive a cluster. */
export {
  asBuffer,
  getFromWire,
  listFromWire,
  objectToWire,
  outcomeToWire,
  poolInfoToWire,
  poolOptionsFromWire,
  putFromWire,
  putResultToWire,
  removeFromWire,
  triggerFromWire,
  viewToWire,
  watchEventToWire,
} from './convert.ts';
export { layoutChangeToWire, layoutToWire } from './convert-layout.ts';
export { nativeDoorToWire } from './convert-native.ts';
export { verifyToWire } from './convert-verify.ts';
export type { DeployParcel, GrpcDoorOptions, WantedLayout } from './grpc-door.ts';
export { GrpcDoor } from './grpc-door.ts';
export { errorTrailer } from './status.ts';
