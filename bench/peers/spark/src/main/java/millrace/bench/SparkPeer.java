package millrace.bench;

import java.io.BufferedOutputStream;
import java.io.FileOutputStream;
import java.io.FileDescriptor;
import java.io.IOException;
import java.io.PrintStream;
import java.lang.management.ManagementFactory;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedList;
import java.util.List;
import java.util.Map;
import java.util.PriorityQueue;
import java.util.Queue;
import java.util.concurrent.atomic.AtomicLong;
import java.util.stream.Collectors;
import org.apache.spark.SparkConf;
import org.apache.spark.api.java.JavaPairRDD;
import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.storage.StorageLevel;
import org.apache.spark.streaming.Duration;
import org.apache.spark.streaming.Durations;
import org.apache.spark.streaming.Time;
import org.apache.spark.streaming.api.java.JavaDStream;
import org.apache.spark.streaming.api.java.JavaPairDStream;
import org.apache.spark.streaming.api.java.JavaStreamingContext;
import org.apache.spark.streaming.scheduler.BatchInfo;
import org.apache.spark.streaming.scheduler.StreamingListener;
import org.apache.spark.streaming.scheduler.StreamingListenerBatchCompleted;
import scala.Tuple2;

/**
 * The same programs as bench/programs/, on Spark Streaming: word counts over a socket (plain and in windows) and over records in
 * memory; keyed state lies in StatePrograms, shuffles in ShufflePrograms.
 *
 * It speaks the same event lines on stdout as bench/subject.ts (see bench/subject-events.ts), so both sides are measured by one
 * piece of code. Settings come as key=value: program, master, batchMs, blockMs, port, file, partitions, batches, pairs, keys, updates, windowMs,
 * checkpoint, stopAfterBatches, and any spark.* setting. It ends when its stdin ends, or after stopAfterBatches batches.
 */
public final class SparkPeer {
  private static final Map<String, String> settings = new HashMap<>();
  private static final AtomicLong batchesCompleted = new AtomicLong();
  private static PrintStream events;

  public static void main(String[] args) throws Exception {
    for (String arg : args) settings.put(arg.substring(0, arg.indexOf('=')), arg.substring(arg.indexOf('=') + 1));
    events = new PrintStream(new BufferedOutputStream(new FileOutputStream(FileDescriptor.out), 1 << 16), false, StandardCharsets.UTF_8);
    emit("{\"event\":\"main\",\"epochMs\":%d,\"version\":\"Spark %s, Java %s\"}",
        System.currentTimeMillis(), org.apache.spark.package$.MODULE$.SPARK_VERSION(), System.getProperty("java.version"));

    // A running count goes on from where the process before it was killed.
    JavaStreamingContext context = setting("program", "").equals("runningCount")
        ? JavaStreamingContext.getOrCreate(setting("checkpoint", ""), SparkPeer::build) : build();
    context.addStreamingListener(new BatchLines());
    context.start();
    emit("{\"event\":\"started\",\"epochMs\":%d}", System.currentTimeMillis());

    long stopAfter = number("stopAfterBatches", 0);
    Thread stdin = new Thread(SparkPeer::drainStdin, "stdin");
    stdin.setDaemon(true);
    stdin.start();
    while (stdin.isAlive() && (stopAfter == 0 || batchesCompleted.get() < stopAfter)) {
      if (context.awaitTerminationOrTimeout(50)) break;
    }
    if (setting("graceful", "false").equals("true")) context.stop(true, true);
    end();
    // No orderly shutdown of Spark: it takes seconds and nothing of it is measured.
    Runtime.getRuntime().halt(0);
  }

  private static JavaStreamingContext build() throws IOException {
    JavaStreamingContext context = new JavaStreamingContext(conf(), Durations.milliseconds(number("batchMs", 1000)));
    if (settings.containsKey("checkpoint")) context.checkpoint(setting("checkpoint", ""));
    StatePrograms state = new StatePrograms(number("keys", 1_000_000), number("updates", 10_000), number("partitions", 2));
    ShufflePrograms shuffle = new ShufflePrograms(number("pairs", 10_000_000), number("keys", 1_000_000), number("partitions", 2), number("batches", 6));
    switch (setting("program", "socket")) {
      case "socket" -> wordCountOverSocket(context);
      case "memory" -> wordCountInMemory(context);
      case "updateStateByKey" -> state.updateStateByKey(context);
      case "mapWithState" -> state.mapWithState(context);
      case "groupByKey" -> shuffle.groupByKey(context);
      case "join" -> shuffle.join(context);
      case "windowInverse", "windowPlain" -> windowedWordCount(context);
      case "runningCount" -> StatePrograms.runningCount(pairsOf(linesOfSocket(context)), number("partitions", 2));
      default -> throw new IllegalArgumentException("there is no program named " + setting("program", ""));
    }
    return context;
  }

  private static void wordCountOverSocket(JavaStreamingContext context) {
    count(linesOfSocket(context)).foreachRDD(SparkPeer::output);
  }

  private static void windowedWordCount(JavaStreamingContext context) {
    JavaPairDStream<String, Long> pairs = pairsOf(linesOfSocket(context));
    Duration window = Durations.milliseconds(number("windowMs", 30_000)), slide = Durations.milliseconds(number("batchMs", 1_000));
    JavaPairDStream<String, Long> counts = setting("program", "").equals("windowInverse")
        ? pairs.reduceByKeyAndWindow((a, b) -> a + b, (a, b) -> a - b, window, slide, 2, pair -> pair._2 > 0)
        : pairs.reduceByKeyAndWindow((a, b) -> a + b, window, slide, 2);
    counts.foreachRDD(SparkPeer::output);
  }

  private static JavaDStream<String> linesOfSocket(JavaStreamingContext context) {
    return context.socketTextStream("127.0.0.1", number("port", 9999), StorageLevel.MEMORY_AND_DISK_SER());
  }

  private static void wordCountInMemory(JavaStreamingContext context) throws IOException {
    List<String> lines = Files.readAllLines(Path.of(setting("file", "lines.txt")));
    JavaRDD<String> cached = context.sparkContext().parallelize(lines, number("partitions", 2)).persist(StorageLevel.MEMORY_ONLY());
    cached.count();
    Queue<JavaRDD<String>> queue = new LinkedList<>();
    for (int batch = 0; batch < number("batches", 15); batch++) queue.add(cached);
    count(context.queueStream(queue, true)).foreachRDD(SparkPeer::output);
  }

  private static JavaPairDStream<String, Long> count(JavaDStream<String> lines) {
    return pairsOf(lines).reduceByKey((a, b) -> a + b, 2);
  }

  private static JavaPairDStream<String, Long> pairsOf(JavaDStream<String> lines) {
    return lines.flatMap(line -> Arrays.asList(line.split(" ")).iterator()).mapToPair(word -> new Tuple2<>(word, 1L));
  }

  /** Collects all counts of the batch at the driver and takes the top 10 there; stamps ("t" + 16 digits) give the latency. */
  private static void output(JavaPairRDD<String, Long> counts, Time time) {
    List<Tuple2<String, Long>> all = counts.collect();
    PriorityQueue<Tuple2<String, Long>> top = new PriorityQueue<>((x, y) -> Long.compare(x._2, y._2));
    long words = 0;
    for (Tuple2<String, Long> pair : all) {
      if (pair._1.charAt(0) == 't') continue;
      words += pair._2;
      top.add(pair);
      if (top.size() > 10) top.poll();
    }
    Instant now = Instant.now();
    long doneUs = now.getEpochSecond() * 1_000_000L + now.getNano() / 1000;
    String stamps = all.stream().filter(pair -> pair._1.charAt(0) == 't')
        .map(pair -> "[" + Long.parseLong(pair._1.substring(1)) + "," + pair._2 + "]").collect(Collectors.joining(","));
    emit("{\"event\":\"output\",\"batchTime\":%d,\"doneUs\":%d,\"words\":%d,\"keys\":%d,\"top\":%d,\"stamps\":[%s]}",
        time.milliseconds(), doneUs, words, all.size(), top.size(), stamps);
  }

  /** A running count: how many keys there are, and what their counts come to. */
  static void emitState(Time time, long keys, long words) {
    emit("{\"event\":\"state\",\"batchTime\":%d,\"keys\":%d,\"words\":%d,\"weighted\":0}", time.milliseconds(), keys, words);
  }

  /** A batch of keyed state: how many records were counted. */
  static void emitOutput(Time time, long count) {
    Instant now = Instant.now();
    emit("{\"event\":\"output\",\"batchTime\":%d,\"doneUs\":%d,\"words\":0,\"keys\":%d,\"top\":0,\"stamps\":[]}",
        time.milliseconds(), now.getEpochSecond() * 1_000_000L + now.getNano() / 1000, count);
  }

  /** One event line for each completed batch. */
  private static final class BatchLines implements StreamingListener {
    @Override public void onBatchCompleted(StreamingListenerBatchCompleted completed) {
      BatchInfo batch = completed.batchInfo();
      emit("{\"event\":\"batch\",\"batchTime\":%d,\"records\":%d,\"schedulingDelayMs\":%d,\"processingDelayMs\":%d,\"epochMs\":%d}",
          batch.batchTime().milliseconds(), batch.numRecords(), orZero(batch.schedulingDelay()), orZero(batch.processingDelay()),
          System.currentTimeMillis());
      batchesCompleted.incrementAndGet();
    }

    private static long orZero(scala.Option<Object> option) {
      return option.isDefined() ? ((Number) option.get()).longValue() : 0;
    }
  }

  private static SparkConf conf() {
    SparkConf conf = new SparkConf(false).setMaster(setting("master", "local[2]")).setAppName("millrace-bench-peer")
        .set("spark.ui.enabled", "false")
        .set("spark.serializer", "org.apache.spark.serializer.KryoSerializer")
        .set("spark.driver.host", "127.0.0.1").set("spark.driver.bindAddress", "127.0.0.1")
        .set("spark.streaming.blockInterval", setting("blockMs", "200") + "ms")
        .set("spark.streaming.backpressure.enabled", "false");
    settings.forEach((key, value) -> { if (key.startsWith("spark.")) conf.set(key, value); });
    return conf;
  }

  private static void end() throws IOException {
    long collectionMs = ManagementFactory.getGarbageCollectorMXBeans().stream().mapToLong(bean -> bean.getCollectionTime()).sum();
    emit("{\"event\":\"end\",\"epochMs\":%d,\"batches\":%d,\"gcMs\":%d,\"rssPeakMib\":%d}",
        System.currentTimeMillis(), batchesCompleted.get(), collectionMs, rssPeakMib());
  }

  private static long rssPeakMib() throws IOException {
    for (String line : Files.readAllLines(Path.of("/proc/self/status"))) {
      if (line.startsWith("VmHWM:")) return Long.parseLong(line.replaceAll("[^0-9]", "")) / 1024;
    }
    return 0;
  }

  private static void drainStdin() {
    try {
      while (System.in.read() >= 0) { }
    } catch (IOException closed) {
      // The parent is gone: the same as the end of the input.
    }
  }

  private static synchronized void emit(String format, Object... values) {
    events.println(String.format(format, values));
    events.flush();
  }

  private static String setting(String key, String otherwise) {
    return settings.getOrDefault(key, otherwise);
  }

  private static int number(String key, int otherwise) {
    return Integer.parseInt(setting(key, Integer.toString(otherwise)));
  }
}
