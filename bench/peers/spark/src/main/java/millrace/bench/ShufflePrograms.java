package millrace.bench;

import java.util.LinkedList;
import java.util.Queue;
import java.util.stream.IntStream;
import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.streaming.api.java.JavaPairDStream;
import org.apache.spark.streaming.api.java.JavaStreamingContext;
import scala.Tuple2;

/**
 * Shuffles, as bench/programs/shuffle.ts: pair i of n has the key (i * 7919) mod keys and the value i; they are made inside of the
 * tasks, 10,000 at a time, anew in each batch.
 */
final class ShufflePrograms {
  private static final int PER_CHUNK = 10_000;
  private static final long STRIDE = 7_919, GROUP_WEIGHT = 1_000_000_000;
  private final int pairs;
  private final int keys;
  private final int partitions;
  private final int batches;

  ShufflePrograms(int pairs, int keys, int partitions, int batches) {
    this.pairs = pairs;
    this.keys = keys;
    this.partitions = partitions;
    this.batches = batches;
  }

  void groupByKey(JavaStreamingContext context) {
    streamOf(context, pairs).groupByKey(partitions).map(group -> {
      long size = 0;
      for (Integer value : group._2) size++;
      return GROUP_WEIGHT + size;
    }).foreachRDD((sizes, time) -> SparkPeer.emitOutput(time, sizes.reduce((a, b) -> a + b)));
  }

  void join(JavaStreamingContext context) {
    streamOf(context, pairs / 2).join(streamOf(context, keys), partitions)
        .foreachRDD((joined, time) -> SparkPeer.emitOutput(time, joined.count()));
  }

  private JavaPairDStream<Integer, Integer> streamOf(JavaStreamingContext context, int count) {
    final int keys = this.keys;
    JavaRDD<Integer> chunks = context.sparkContext().parallelize(IntStream.range(0, (count + PER_CHUNK - 1) / PER_CHUNK).boxed().toList(), partitions);
    Queue<JavaRDD<Integer>> queue = new LinkedList<>();
    for (int batch = 0; batch < batches; batch++) queue.add(chunks);
    return context.queueStream(queue, true).flatMapToPair(chunk -> {
      int from = chunk * PER_CHUNK, to = Math.min(count, from + PER_CHUNK);
      return IntStream.range(from, to).mapToObj(i -> new Tuple2<>((int) ((i * STRIDE) % keys), i)).iterator();
    });
  }
}
