#!/usr/bin/perl

# Google's generateContent relayed to Gemini: as server-sent events, as one
# JSON array and plain; whatever the framing, it is counted.

use strict;
use warnings;

use lib 't/lib';
use AiProxyTest;
use Test::More;

needs_module();

my $root = fixtures() . '/gemini';
my %fixture = (array => 'chat-stream-structured-reasoning-01',
    sse => 'chat-stream-toolresult-structured-01',
    plain => 'chat-stop-truncated-01');
my %path = (plain => ':generateContent', array => ':streamGenerateContent',
    sse => ':streamGenerateContent?alt=sse');
$path{$_} = $path{array} for qw(cut refused);
my $whole = read_json("$root/$fixture{array}.json")->{response}{body_text};
utf8::encode($whole);
my $first = index $whole, '"responseId"';
my $up = Upstream->start(
    (map { $_ => { fixture => "$root/$fixture{$_}.json", split => 7 } }
        keys %fixture),
    cut => { body => substr($whole, 0, index($whole, '"text"', $first)),
        headers => [['Content-Type', 'application/json; charset=UTF-8']] },
    refused => { json => [{ error => { code => 503, message => 'no room',
        status => 'UNAVAILABLE' } }] });
my @names = sort keys %path;
my $gw = Gateway->start(
    http => zone() . join('', map { provider($_ => gemini => $up->url($_)) }
        @names) . "log_format j escape=none '\$ai_proxy_log';\n",
    access_log => '',
    server => "access_log %%DIR%%/logs/j.log j;\n" . join '', map { "location /$_/ { ai_proxy_pass $_; }\n" } @names);

my $count = 0;
sub ask {
    my ($name) = @_;
    my $reply = $gw->client->post("/$name/v1beta/models/gemini-x$path{$name}",
        '{"contents":[{"parts":[{"text":"private-prompt"}]}]}');
    my @lines = $gw->log_lines('j.log', ++$count);
    return ($reply, decode($lines[-1]));
}

for my $name (sort keys %fixture) {
    my $recorded = read_json("$root/$fixture{$name}.json")->{response};
    my ($reply, $log) = ask($name);
    is($reply->{status}, 200, "$name: status");
    is($up->last_request($name)->{path},
        "/v1beta/models/gemini-x$path{$name}", "$name: path");
    my $bodies = [Client::json($reply)];
    if ($name eq 'plain') {
        is_deeply($bodies->[0], $recorded->{body}, "$name: body");
    } else {
        utf8::encode(my $text = $recorded->{body_text});
        is($reply->{body}, $text, "$name: body");
        $bodies = $name eq 'array' ? $bodies->[0]
            : [grep { ref } Client::events($reply)];
    }
    my $used = $bodies->[-1]{usageMetadata};
    is($log->{usage_source}, 'provider', "$name: usage");
    is($log->{input_tokens}, $used->{promptTokenCount}, "$name: input");
    is($log->{output_tokens}, ($used->{candidatesTokenCount} // 0)
        + ($used->{thoughtsTokenCount} // 0), "$name: output");
    is($log->{finish_reason}, $name eq 'plain' ? 'length' : 'stop',
        "$name: finish");
}

my ($reply, $log) = ask('cut');
is($log->{error}, 'upstream_truncated', 'an array that is cut');
like($reply->{body}, qr/"error"/, 'says so');
is(ref Client::json($reply), 'ARRAY', 'and is one document all the same')
    or diag($reply->{body});

($reply, $log) = ask('refused');
is($reply->{status}, 503, 'an error in place of an answer is one');
is(Client::json($reply)->{error}{message}, 'no room', 'with its words');

done($gw, $up);
