"""Output of each form, as the versions print it; the numbers are our own."""

from __future__ import annotations

RUNS = (
    "STARTING!\n"
    "Log parameter values verbosely: [0]\n"
    "Graph: [/data/local/tmp/net.tflite]\n"
    "Loaded model /data/local/tmp/net.tflite\n"
    "The input model file size (MB): 0.052113\n"
    "Initialized session in 41.2ms.\n"
    "Running benchmark for at least 1 iterations and at least 0.5 seconds but terminate if "
    "exceeding 150 seconds.\n"
    "count=2 first=91000 curr=88000 min=88000 max=91000 avg=89500 std=1500\n"
    "\n"
    "Running benchmark for at least 50 iterations and at least 1 seconds but terminate if "
    "exceeding 150 seconds.\n"
    "{series}\n"
    "\n"
)
VARIED = "count=60 first=36120 curr=36550 min=35810 max=41020 avg=36480.5 std=400"
PERCENTILES = f"{VARIED} p5=35900 median=36410 p95=37200"
SUMMARY = (
    "Inference timings in us: Init: 41200, First inference: 91000, Warmup (avg): 89500, "
    "Inference (avg): {mean}\n"
    "Note: as the benchmark tool itself affects memory footprint, the following is only "
    "APPROXIMATE to the actual memory footprint of the model at runtime. Take the information at "
    "your discretion.\n"
    "Memory footprint delta from the start of the tool (MB): init=7.1 overall=9.8\n"
)
#: before 2020
OLD_SUMMARY = "Average inference timings in us: Warmup: 89500, Init: 41200, {word}: {mean}\n"
LITERT_SUMMARY = (
    "========== BENCHMARK RESULTS ==========\n"
    "[./litert/tools/benchmark_litert_model.h:82] Model initialization: 41.20 ms\n"
    "[./litert/tools/benchmark_litert_model.h:84] Warmup (first):       91.00 ms\n"
    "[./litert/tools/benchmark_litert_model.h:86] Warmup (avg):         89.50 ms (2 runs)\n"
    "[./litert/tools/benchmark_litert_model.h:88] Inference (avg):      {mean} ms (60 runs)\n"
    "[./litert/tools/benchmark_litert_model.h:92] Inference (min):      35.81 ms\n"
    "[./litert/tools/benchmark_litert_model.h:94] Inference (max):      41.02 ms\n"
    "[./litert/tools/benchmark_litert_model.h:96] Inference (std):      0.40\n"
)

_COLUMNS = (
    "\t             [node type]\t  [first]\t [avg ms]\t     [%]\t  [cdf%]\t  [mem KB]"
    "\t[times called]\t[Name]\n"
)
_ROWS = (
    "\t     TfLiteNnapiDelegate\t   35.100\t   34.900\t 97.000%\t 97.000%\t     0.000"
    "\t        1\t[features, net/conv;b]:4\n"
    "\t          DEPTH_TO_SPACE\t    1.120\t    1.079\t  3.000%\t100.000%\t     0.000"
    "\t        1\t[net/out]:3\n"
)
#: A network of two convolutions and what follows them, its last operator left to the CPU.
PROFILE_KINDS = ("QUANTIZE", "CONV_2D", "CONV_2D", "DEPTH_TO_SPACE")
INITIALIZATION_PROFILE = (
    "Profiling Info for Benchmark Initialization:\n"
    "============================== Run Order ==============================\n"
    f"{_COLUMNS}"
    "\t ModifyGraphWithDelegate\t   33.100\t   33.100\t 80.000%\t 80.000%\t   412.000"
    "\t        1\tModifyGraphWithDelegate/0\n"
    "\t         AllocateTensors\t    8.275\t    4.137\t 20.000%\t100.000%\t     0.000"
    "\t        2\tAllocateTensors/0\n"
    "\n"
    "Number of nodes executed: 2\n"
    "2 nodes observed\n"
    "\n"
)
PROFILE = (
    "Operator-wise Profiling Info for Regular Benchmark Runs:\n"
    "============================== Run Order ==============================\n"
    f"{_COLUMNS}{_ROWS}"
    "\n"
    "============================== Top by Computation Time ==============================\n"
    f"{_COLUMNS}{_ROWS}"
    "\n"
    "Number of nodes executed: 2\n"
    "============================== Summary by node type ==============================\n"
    "\t             [Node type]\t  [count]\t  [avg ms]\t    [avg %]\t    [cdf %]\t  [mem KB]"
    "\t[times called]\n"
    "\t     TfLiteNnapiDelegate\t        1\t    34.900\t    97.000%\t    97.000%\t     0.000"
    "\t        1\n"
    "\t          DEPTH_TO_SPACE\t        1\t     1.079\t     3.000%\t   100.000%\t     0.000"
    "\t        1\n"
    "\n"
    "Timings (microseconds): count=10 first=36220 curr=35980 min=35900 max=36300 avg=35979 std=90\n"
    "Memory (bytes): count=0\n"
    "2 nodes observed\n"
)
#: with a column for the start, no index of the node, and no count of calls
OLD_PROFILE = (
    "============================== Run Order ==============================\n"
    "\t             [node type]\t  [start]\t  [first]\t [avg ms]\t     [%]\t  [cdf%]\t  [mem KB]"
    "\t[times called]\t[Name]\n"
    "\t                QUANTIZE\t    0.000\t    0.700\t    0.720\t  2.000%\t  2.000%\t     0.000"
    "\t        0\t[in_int8]\n"
    "\t                 CONV_2D\t    0.720\t   19.100\t   19.080\t 53.000%\t 55.000%\t     0.000"
    "\t        0\t[net/first/Relu]\n"
    "\t                 CONV_2D\t   19.800\t   12.300\t   12.240\t 34.000%\t 89.000%\t     0.000"
    "\t        0\t[net/second]\n"
    "\t          DEPTH_TO_SPACE\t   32.040\t    3.980\t    3.960\t 11.000%\t100.000%\t     0.000"
    "\t        0\t[net/out]\n"
    "\n"
    "============================== Top by Computation Time ==============================\n"
    "Number of nodes executed: 4\n"
)
CSV_PROFILE = (
    "Operator-wise Profiling Info for Regular Benchmark Runs:\n"
    "node type, first, avg_ms, %, cdf%, mem KB, times called, name\n"
    "TfLiteNnapiDelegate, 35.1, 34.9, 97%, 97%, 0, 1, [features\t net/conv;b]:4\n"
    "DEPTH_TO_SPACE, 1.12, 1.079, 3%, 100%, 0, 1, [net/out]:3\n"
)

SYNAP = (
    "Flush/invalidate: yes\n"
    "Loop period (ms): 0\n"
    "Network inputs: 1\n"
    "Network outputs: 1\n"
    "Input buffer: lr size: 691200 : random\n"
    "Output buffer: hr size: 6220800\n"
    "\n"
    "Predict #0: 5.92 ms\n"
    "Predict #1: 4.31 ms\n"
    "Predict #2: 4.27 ms\n"
    "Predict #3: 4.33 ms\n"
    "\n"
    "Inference timings (ms):  load: 48.10  init: 3.05  min: 4.27  median: 4.31  max: 5.92  "
    "stddev: 0.70  mean: 4.71\n"
)
SYNAP_PROFILE = (
    "pid: 4021, nid: 1, inference_count: 5, inference_time: 23550, inference_last: 4330, "
    "iobuf_count: 2, iobuf_size: 6912000, layers: 3\n"
    "| lyr |   cycle | time_us | byte_rd | byte_wr | type\n"
    "|   0 |  301200 |     620 |  691200 |       0 | TensorTranspose\n"
    "|   1 |  999100 |    2100 |   20480 |   10240 | ConvolutionReluPoolingLayer2\n"
    "|   2 |  701300 |    1400 |   20480 | 6220800 | ConvolutionReluPoolingLayer2\n"
)
