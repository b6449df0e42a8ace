#!/usr/bin/perl

# A zone without room for more series: nothing is lost, what does not fit is
# counted together, and the log says so once.

use strict;
use warnings;

use lib 't/lib';
use AiProxyTest;
use Test::More;

needs_module();

my $models = 24;
my $gw = Gateway->start(workers => 2,
    http => "ai_proxy_zone ai 32k;\n" . provider('mock', 'mock', undef,
        map { "model_map m$_ mock-$_;" } 1 .. $models),
    server => "location / { ai_proxy_pass mock; }\n"
        . "location = /metrics { ai_proxy_metrics; }\n"
        . "location = /status { ai_proxy_status; }\n");

my @statuses = map { my $n = $_ % $models + 1;
    $gw->client->post('/v1/chat/completions', chat_body(model => "m$n"))
        ->{status} } 1 .. 2 * $models;
is(scalar(grep { $_ == 200 } @statuses), 2 * $models,
    'every request is answered');

# The other worker may still be at the last request's books.
my ($text, $sum, $other, $series);
$gw->until(sub {
    $text = $gw->client->get('/metrics')->{body};
    ($sum, $other, $series) = (0, 0, 0);
    while ($text =~ /^ai_proxy_requests_total\{([^}]*)\} (\d+)/mg) {
        my ($labels, $count) = ($1, $2);
        $sum += $count;
        $series++;
        $other += $count if $labels =~ /model="other"/;
    }
    return $sum >= 2 * $models;
});
is($sum, 2 * $models, 'every request is counted');
cmp_ok($other, '>', 0, 'some of them as "other"');
cmp_ok($series, '<', $models, 'not each in its own series');
my @lines = $gw->error_log =~ /\[warn\][^\n]*no room for more series/g;
is(scalar @lines, 1, 'the log says so once');
my ($overflows) = $text =~ /^ai_proxy_zone_overflow_total (\d+)/m;
cmp_ok($overflows // 0, '>=', $other, 'and the metrics say how often');

done($gw);
