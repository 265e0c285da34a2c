package fwtest

// Statements are what framework-compliant means: thirty statements, each with its
// tests. docs/conformance.md is made from them.
var Statements = []Statement{
	{1, "a driver that claims accel with render or modeset is refused", []Test{
		{"S01_RenderAndModesetAreRefused", WhiteBox, s01RenderAndModeset}}},
	{2, "a probe that fails undoes everything; registration comes last", []Test{
		{"S02_FailedBindLeavesNoNode", HostSide, s02FailedBind},
		{"S02_EveryStepOfProbeUndoesItself", WhiteBox, s02EveryStep}}},
	{3, "major 261, lowest free minor, class, type and debugfs directory", []Test{
		{"S03_NodeIsShown", UAPI, s03NodeIsShown},
		{"S03_LowestMinorIsUsedAgain", WhiteBox, s03Minors}}},
	{4, "open: ENODEV without a device, EBUSY when exclusive", []Test{
		{"S04_ExclusiveOpenIsBusy", UAPI, s04Exclusive},
		{"S04_OpenTwiceAndWithoutIoctl", UAPI, s04OpenTwice},
		{"S04_DuplicatedDescriptor", UAPI, s04Dup},
		{"S04_OpenAfterUnplug", HostSide, s04AfterUnplug},
		{"S04_OpenBeforeRegister", WhiteBox, s04BeforeRegister}}},
	{5, "a failed open leaves nothing; client ids never repeat", []Test{
		{"S05_ClientIDsNeverRepeat", UAPI, s05ClientIDs},
		{"S05_FailedOpenLeavesNothing", UAPI, s05ContextsRunOut},
		{"S05_DriverFailsOpen", WhiteBox, s05DriverFailsOpen}}},
	{6, "managed actions run in reverse at the last put", []Test{
		{"S06_ManagedActionsRunInReverse", WhiteBox, s06Managed}}},
	{7, "dispatch: ENOTTY for the type, EINVAL for the number, ENODEV when unplugged", []Test{
		{"S07_WrongTypeAndNumber", UAPI, s07Dispatch},
		{"S07_UnpluggedComesFirst", HostSide, s07Unplugged}}},
	{8, "short structs are extended, tails ignored, bad pointers EFAULT, padding EINVAL", []Test{
		{"S08_ShortStructIsZeroExtended", UAPI, s08Short},
		{"S08_LongTailIsIgnored", UAPI, s08Long},
		{"S08_QueriesOfEverySize", UAPI, s08Query},
		{"S08_QueriesWithMuchRoom", UAPI, s08LargeQuery},
		{"S08_BadPointers", UAPI, s08Pointers},
		{"S08_PaddingAndUnknownFlags", UAPI, s08Padding},
		{"S08_CommandsOfEverySize", UAPI, s08Commands}}},
	{9, "master-only calls EACCES; SET_CLIENT_CAP and uncommon GET_CAP EOPNOTSUPP", []Test{
		{"S09_MasterOnlyIsRefused", UAPI, s09Master},
		{"S09_ClientCapabilities", UAPI, s09Caps}}},
	{10, "VERSION's full lengths, CAP_PRIME, syncobjs as a feature", []Test{
		{"S10_VersionTellsFullLengths", UAPI, s10Version},
		{"S10_PrimeAndSyncobjCapabilities", UAPI, s10Caps},
		{"S10_SyncobjWithoutSupport", WhiteBox, s10NoSyncobj}}},
	{11, "ENOENT, ENOSPC, ENODEV, EIO; an interrupted call can be restarted", []Test{
		{"S11_FailedLookUps", UAPI, s11LookUps},
		{"S11_DeviceMemoryIsFull", UAPI, s11Full},
		{"S11_AllocationsUntilFull", UAPI, s11UntilFull},
		{"S11_OneLargeBuffer", UAPI, s11Large},
		{"S11_RefusedCallChangesNothing", UAPI, s11Unchanged},
		{"S11_LostDeviceIsEIO", HostSide, s11Wedged},
		{"S11_InterruptedWaitIsRestarted", UAPI, s11Interrupted},
		{"S11_InterruptedSubmitArmsNothing", UAPI, s11InterruptedSubmit},
		{"S11_UnplugAndCloseEndWaits", WhiteBox, s11WaitsEnd}}},
	{12, "GET_UNIQUE and GET_MAGIC give an error", []Test{
		{"S12_UniqueAndMagic", WhiteBox, s12Unique}}},
	{13, "handles are non-zero and per file; GEM_CLOSE drops the handle only", []Test{
		{"S13_HandlesArePerFile", UAPI, s13PerFile},
		{"S13_BuffersAreAsAskedFor", UAPI, s13Info},
		{"S13_JobKeepsClosedBuffer", UAPI, s13Job},
		{"S13_MappingKeepsClosedBuffer", UAPI, s13Mapping},
		{"S13_ThousandsOfHandles", UAPI, s13Many}}},
	{14, "mmap offsets from 4 GiB; EINVAL, EACCES, ENODEV", []Test{
		{"S14_MmapOffsets", UAPI, s14Offsets},
		{"S14_MmapAfterUnplug", HostSide, s14Unplugged}}},
	{15, "PRIME: one handle a file; an export outlives its exporter", []Test{
		{"S15_ImportAgainIsTheSameHandle", UAPI, s15Again},
		{"S15_FlagsOfDescriptors", UAPI, s15Flags},
		{"S15_ExportOutlivesItsExporter", UAPI, s15Outlives}}},
	{16, "each file has an address space of its own", []Test{
		{"S16_SameAddressOtherMemory", UAPI, s16Same},
		{"S16_NoAccessAcrossFiles", UAPI, s16Across},
		{"S16_NextFileInheritsNothing", UAPI, s16Next},
		{"S16_MemoryIsClearedBetweenFiles", UAPI, s16Cleared},
		{"S16_EvictedBufferKeepsItsData", UAPI, s16Evicted},
		{"S16_LargePageReplacesATable", UAPI, s16Replaced},
		{"S16_MappedWholeOrNotAtAll", UAPI, s16Whole},
		{"S16_CloseAwaitsTheDevice", UAPI, s16Awaited}}},
	{17, "nothing can fail once a job is armed", []Test{
		{"S17_RefusedSubmitArmsNothing", UAPI, s17Refused},
		{"S17_ThousandsOfDuplicateHandles", UAPI, s17Duplicates},
		{"S17_AllocationsFailBeforeArming", WhiteBox, s17Allocations},
		{"S17_SlotsAreReservedBeforeArming", WhiteBox, s17Slots},
		{"S17_BuffersKnowTheirJobs", WhiteBox, s17Reservations}}},
	{18, "every fence is signalled in bounded time, with its error", []Test{
		{"S18_SuccessAndTimeout", UAPI, s18Timeout},
		{"S18_ErrorsOfJobs", UAPI, s18Errors},
		{"S18_QueueStatusNamesTheFirstFailure", UAPI, s18Status},
		{"S18_FaultRecordsAreTaken", HostSide, s18Records},
		{"S18_CompletedBeforeAReset", HostSide, s18Completed},
		{"S18_QueueDestroyedAndFileClosed", UAPI, s18Close},
		{"S18_CloseEndsEndlessProgress", UAPI, s18Endless},
		{"S18_ForcedReset", HostSide, s18Reset},
		{"S18_Unplug", HostSide, s18Unplug}}},
	{19, "credits, order within a queue, dependencies across queues, close with jobs queued", []Test{
		{"S19_FirstInFirstOut", UAPI, s19Order},
		{"S19_DependenciesAcrossQueues", UAPI, s19Dependencies},
		{"S19_FullQueueIsEAGAIN", UAPI, s19Full},
		{"S19_CloseWithJobsQueued", UAPI, s19Close},
		{"S19_PrioritiesAreArbitrated", UAPI, s19Priorities},
		{"S19_RealtimeIsPrivileged", UAPI, s19Realtime},
		{"S19_CoresAreThoseOfTheQueue", UAPI, s19Cores},
		{"S19_CopiesOfEverySize", UAPI, s19Sweep},
		{"S19_StridedAndRandomCopies", UAPI, s19Strided},
		{"S19_CreditsAreRespected", WhiteBox, s19Credits}}},
	{20, "a time-out asks for progress; only the guilty context fails", []Test{
		{"S20_BystandersFinish", UAPI, s20Bystanders},
		{"S20_NothingEntersAReset", HostSide, s20During},
		{"S20_WiderResetSparesWhatRuns", HostSide, s20Wider},
		{"S20_ResetBehindEachCommand", HostSide, s20EachCommand},
		{"S20_InvalidationsBehindAReset", HostSide, s20Invalidates},
		{"S20_ProgressIsNoHang", UAPI, s20Progress},
		{"S20_GuiltyContextIsRejected", UAPI, s20Guilty}}},
	{21, "waits take absolute time; 0 polls; ETIME", []Test{
		{"S21_WaitsAreAbsolute", UAPI, s21Waits},
		{"S21_Timelines", UAPI, s21Timelines},
		{"S21_Eventfds", UAPI, s21Eventfd},
		{"S21_PointsComeInOrder", UAPI, s21Order},
		{"S21_WaitForAny", UAPI, s21Any},
		{"S21_WaitKeepsItsFence", UAPI, s21Kept},
		{"S21_SyncobjsAreShared", UAPI, s21Shared}}},
	{22, "hardware is touched within sections; remove starts with unplug and waits", []Test{
		{"S22_MappingsAreTornDown", HostSide, s22Mappings},
		{"S22_MappingsAreMadeInSections", WhiteBox, s22Imported},
		{"S22_NoAccessAfterRemove", WhiteBox, s22NoAccess},
		{"S22_UnplugWaitsForSections", WhiteBox, s22Sections}}},
	{23, "after unplug: ENODEV in fences, descriptors close, a replug is a new device", []Test{
		{"S23_FencesEndWithENODEV", HostSide, s23Fences},
		{"S23_ReplugIsANewDevice", HostSide, s23Replug},
		{"S23_ReplugLeavesNoData", HostSide, s23Data}}},
	{24, "vectors with a fall-back; no DMA and no interrupt after remove", []Test{
		{"S24_FewerVectors", WhiteBox, s24Vectors},
		{"S24_RingsShareAVector", HostSide, s24Shared},
		{"S24_DMAMaskIsAskedFor", WhiteBox, s24Mask},
		{"S24_QuietAfterRemove", WhiteBox, s24Quiet}}},
	{25, "function-level reset with prepare and done; AER recovery", []Test{
		{"S25_FunctionResetUnderLoad", HostSide, s25Reset},
		{"S25_ContextsWithoutMemoryGoOn", HostSide, s25Lost},
		{"S25_FatalErrorRecovers", HostSide, s25Fatal},
		{"S25_NonFatalErrorNeedsNoReset", HostSide, s25NonFatal},
		{"S25_NothingIsTouchedWhileFrozen", WhiteBox, s25Frozen},
		{"S25_BuffersWhileFrozen", WhiteBox, s25Buffers},
		{"S25_InvalidationsEndBeforeAReset", WhiteBox, s25Invalidation},
		{"S25_PermanentFailureDisconnects", WhiteBox, s25Permanent}}},
	{26, "idle suspends, an ioctl resumes, balanced", []Test{
		{"S26_IdleSuspendsAndIoctlResumes", UAPI, s26Suspend},
		{"S26_JobsAndResetsKeepItAwake", HostSide, s26Busy},
		{"S26_SuspendDuringResetIsRefused", WhiteBox, s26Reset}}},
	{27, "a reset is told: uevent, core dump, count, state", []Test{
		{"S27_ResetIsTold", UAPI, s27Told},
		{"S27_ForcedResetIsTold", HostSide, s27Forced},
		{"S27_ForcedResetThatFails", HostSide, s27Fails},
		{"S27_HeatAndHeartbeatAreTold", HostSide, s27Health},
		{"S27_HeartbeatThatReturns", HostSide, s27HeartbeatReturns},
		{"S27_WhatHappensInSleepIsTold", HostSide, s27Asleep}}},
	{28, "fdinfo, exact to the byte", []Test{
		{"S28_FDInfoIsExact", UAPI, s28FDInfo},
		{"S28_EvictedIsNotResident", UAPI, s28Evicted}}},
	{29, "sysfs, debugfs and sensors are safe at any time; tracepoints", []Test{
		{"S29_ReadEverythingMeanwhile", UAPI, s29Read},
		{"S29_NothingAfterUnplug", HostSide, s29Gone},
		{"S29_NothingWakesASleepingDevice", UAPI, s29Asleep},
		{"S29_Tracepoints", WhiteBox, s29Trace}}},
	{30, "the platform is readable and scales time-outs", []Test{
		{"S30_PlatformIsReadable", UAPI, s30Platform},
		{"S30_PlatformScalesTimeouts", WhiteBox, s30Scale}}},
}
